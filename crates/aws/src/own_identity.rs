//! Whose credentials this host uses: `GetCallerIdentity`, signed by them.
//!
//! What follows from the answer is not decided here.
//!
//! Source: AWS Security Token Service API Reference, version 2011-06-15, `GetCallerIdentity`.

use crate::account::AwsAccount;
use crate::call::CallError;
use crate::caller_identity::{self, CallerIdentity};
use crate::signed_request::UnsignedRequest;

const RIGHT: &str = "sts:GetCallerIdentity";
const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";
const BODY: &str = "Action=GetCallerIdentity&Version=2011-06-15";
/// Longest answer that is read, in bytes. That of STS has less than 1 KiB.
const LONGEST: usize = 64 * 1024;

impl AwsAccount {
    /// Who calls AWS with the credentials of this account.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if there are no credentials, if STS refuses them, or if no usable answer
    /// comes.
    pub async fn own_identity(&self) -> Result<CallerIdentity, CallError> {
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
            caller_identity::read(said.status, caller_identity::XML, &said.body, &self.masker)
        });
        answer.map_err(|error| CallError::Elsewhere {
            service: "STS",
            endpoint,
            right: RIGHT,
            error: Box::new(self.judged(error)),
        })
    }
}
