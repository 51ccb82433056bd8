//! Whose credentials this host uses: `GetCallerIdentity`, signed by them.
//!
//! What follows from the answer is not decided here.
//!
//! Source: AWS Security Token Service API Reference, version 2011-06-15, `GetCallerIdentity`.

use std::time::SystemTime;

use crate::account::AwsAccount;
use crate::call::CallError;
use crate::caller_identity::{self, CallerIdentity};
use crate::signed_request::UnsignedRequest;

const RIGHT: &str = "sts:GetCallerIdentity";
const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";
const BODY: &str = "Action=GetCallerIdentity&Version=2011-06-15";
/// Longest answer that is read, in bytes. That of STS has less than 1 KiB.
const LONGEST: usize = 64 * 1024;

/// Whose credentials this host uses, and the clock of STS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatedIdentity {
    /// Who it is.
    pub identity: CallerIdentity,
    /// How many seconds the clock of this host is ahead of that of STS; negative if it is behind. STS tells
    /// whole seconds. `None` if it told no time.
    pub clock_ahead_s: Option<i64>,
}

impl AwsAccount {
    /// Who calls AWS with the credentials of this account.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if there are no credentials, if STS refuses them, or if no usable answer
    /// comes.
    pub async fn own_identity(&self) -> Result<CallerIdentity, CallError> {
        self.dated_identity().await.map(|dated| dated.identity)
    }

    /// The same, with the difference of the two clocks.
    ///
    /// # Errors
    ///
    /// As [`Self::own_identity`].
    pub async fn dated_identity(&self) -> Result<DatedIdentity, CallError> {
        let endpoint = self.endpoint("sts");
        let question = UnsignedRequest {
            who: "STS",
            service: "sts",
            region: &self.region,
            endpoint: endpoint.clone(),
            headers: &[("content-type", FORM)],
            body: BODY.to_owned(),
            longest: LONGEST,
        };
        let answer = self.ask(question).await.and_then(|said| {
            let clock_ahead_s = said.time.and_then(ahead_of);
            let read =
                caller_identity::read(said.status, caller_identity::XML, &said.body, &self.masker);
            read.map(|identity| DatedIdentity { identity, clock_ahead_s })
        });
        answer.map_err(|error| CallError::Elsewhere {
            service: "STS",
            endpoint,
            right: RIGHT,
            error: Box::new(self.judged(error)),
        })
    }
}

/// How many seconds the clock of this host is ahead of this time.
fn ahead_of(time: SystemTime) -> Option<i64> {
    match SystemTime::now().duration_since(time) {
        Ok(ahead) => i64::try_from(ahead.as_secs()).ok(),
        Err(behind) => i64::try_from(behind.duration().as_secs()).ok().map(|behind| -behind),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_difference_of_two_clocks_has_a_sign() {
        let hour = Duration::from_hours(1);
        let (before, after) = (SystemTime::now() - hour, SystemTime::now() + hour);
        assert!((3600..3660).contains(&ahead_of(before).unwrap()));
        assert!((-3600..-3540).contains(&ahead_of(after).unwrap()));
    }
}
