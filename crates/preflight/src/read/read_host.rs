//! Asks who this host is, what time it is, and whether GitLab answers.

use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use fargate_aws::{AwsAccount, CallError, CallerIdentity, retry};
use tokio::time::{Instant, timeout_at};

use crate::reading::AwsReading;
use crate::views::{GitlabAnswer, IdentityTrouble};

/// Longest answer of GitLab that is read, in bytes. Its page of logins has some 50 KiB.
const LONGEST: usize = 1024 * 1024;
/// How long GitLab may be silent. Ours.
const STALL: Duration = Duration::from_secs(10);

/// Who asks.
pub(crate) struct IdentityReading {
    pub identity: AwsReading<CallerIdentity>,
    pub trouble: Option<IdentityTrouble>,
    pub clock_ahead_s: AwsReading<i64>,
}

/// Asks STS who asks.
pub(crate) async fn read_identity(account: &AwsAccount, deadline: Instant) -> IdentityReading {
    let answer = retry(deadline, || account.dated_identity()).await;
    let failed = answer.as_ref().err();
    let trouble = failed.map(|error| trouble_of(error, account.endpoint("sts")));
    let answer = AwsReading::of("sts:GetCallerIdentity", answer);
    let clock_ahead_s = match &answer {
        AwsReading::Known(dated) => match dated.clock_ahead_s {
            Some(ahead) => AwsReading::Known(ahead),
            None => AwsReading::NotRead { why: "STS told no time".to_owned() },
        },
        other => other.failed().unwrap_or_default(),
    };
    IdentityReading { identity: answer.map(|dated| dated.identity), trouble, clock_ahead_s }
}

/// Sorts why nobody knows who asks.
fn trouble_of(error: &CallError, endpoint: String) -> IdentityTrouble {
    let words = error.to_string();
    match error {
        CallError::Elsewhere { error, endpoint, .. } => trouble_of(error, endpoint.clone()),
        error if error.is_without_credentials() => IdentityTrouble::NoCredentials { error: words },
        error if error.is_expired() || is_expired_word(error) => {
            IdentityTrouble::Expired { error: words }
        }
        CallError::Role { role, .. } => {
            IdentityTrouble::RoleRefused { role: role.clone(), error: words }
        }
        CallError::Answered { .. } => IdentityTrouble::Refused { error: words },
        _ => IdentityTrouble::NotReached { endpoint, error: words },
    }
}

/// Credentials of the environment never change, so their end is final and has no variant of its own.
fn is_expired_word(error: &CallError) -> bool {
    matches!(error, CallError::Answered { code, .. } if code.starts_with("ExpiredToken"))
}

/// Asks GitLab for its start page, on the way on which this host reaches AWS. Any answer counts: it needs no
/// login.
pub(crate) async fn read_gitlab(
    account: &AwsAccount,
    url: &str,
    deadline: Instant,
) -> AwsReading<Result<GitlabAnswer, String>> {
    let started = Instant::now();
    let answer = timeout_at(deadline, ask_gitlab(account, url)).await;
    AwsReading::Known(match answer {
        Err(_) => Err("no answer before the deadline".to_owned()),
        Ok(Err(why)) => Err(why),
        Ok(Ok(status)) => {
            let took_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
            Ok(GitlabAnswer { status, took_ms })
        }
    })
}

async fn ask_gitlab(account: &AwsAccount, url: &str) -> Result<u16, String> {
    let mut request = HttpRequest::new(SdkBody::empty());
    request.set_method("GET").map_err(|error| error.to_string())?;
    request.set_uri(url).map_err(|error| format!("it is no URL: {error}"))?;
    let answer = account.stream("GitLab", request, None, STALL).await;
    let mut answer = answer.map_err(|error| error.to_string())?;
    // A body that ends shows that the answer is one of HTTP; what it says does not matter.
    answer.whole(LONGEST).await.map_err(|error| error.to_string())?;
    Ok(answer.status)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(code: &str) -> CallError {
        let error = CallError::Answered {
            code: code.to_owned(),
            message: "no".to_owned(),
            status: 403,
            request_id: None,
        };
        let endpoint = "https://sts.eu-west-1.amazonaws.com".to_owned();
        CallError::Elsewhere { service: "STS", endpoint, right: "r", error: Box::new(error) }
    }

    #[test]
    fn each_reason_has_its_own_kind() {
        let of = |error: &CallError| trouble_of(error, "http://e".to_owned());
        assert!(matches!(of(&answered("ExpiredToken")), IdentityTrouble::Expired { .. }));
        assert!(matches!(of(&answered("InvalidClientTokenId")), IdentityTrouble::Refused { .. }));
        let dead = CallError::NotReached { text: "connection refused".to_owned() };
        let found = of(&dead);
        assert!(
            matches!(&found, IdentityTrouble::NotReached { endpoint, .. } if endpoint == "http://e"),
            "{found:?}"
        );
        let role = CallError::Role {
            role: "arn:r".to_owned(),
            endpoint: String::new(),
            error: Box::new(dead),
        };
        assert!(matches!(of(&role), IdentityTrouble::RoleRefused { .. }));
    }
}
