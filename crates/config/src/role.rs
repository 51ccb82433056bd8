//! The role that is assumed before any call: what its ARN, external id and session name may be.
//!
//! Whether the role fits the Region is asked in `conflicts`.

use crate::check::{CheckResult, ValueRefusal};

/// Length of a role's ARN, in characters. Source: AWS STS API Reference, `AssumeRole`, `RoleArn`.
const ARN: std::ops::RangeInclusive<usize> = 20..=2048;

/// Length of an external id. Source: AWS STS API Reference, `AssumeRole`, `ExternalId`.
const EXTERNAL_ID: std::ops::RangeInclusive<usize> = 2..=1224;

/// Length of a session's name. Source: AWS STS API Reference, `AssumeRole`, `RoleSessionName`.
const SESSION_NAME: std::ops::RangeInclusive<usize> = 2..=64;

/// The partition of a role's ARN, `arn:PARTITION:iam::ACCOUNT:role/PATH/NAME`, or `None` if it is
/// none.
///
/// Source: AWS IAM User Guide, "IAM identifiers".
pub(crate) fn partition(text: &str) -> Option<&str> {
    let mut parts = text.strip_prefix("arn:")?.splitn(5, ':');
    let (partition, service, region) = (parts.next()?, parts.next()?, parts.next()?);
    let (account, resource) = (parts.next()?, parts.next()?);
    let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let name = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@-/".contains(&b);
    let role = resource.strip_prefix("role/")?;
    let fits = ARN.contains(&text.len())
        && partition.starts_with("aws")
        && partition.bytes().all(word)
        && (service, region) == ("iam", "")
        && account.len() == 12
        && account.bytes().all(|b| b.is_ascii_digit())
        && !role.is_empty()
        && !role.ends_with('/')
        && role.bytes().all(name);
    fits.then_some(partition)
}

pub(crate) fn arn(given: &str) -> CheckResult<String> {
    let refusal = || {
        let refusal = ValueRefusal::new("the ARN of a role is expected");
        refusal.hint("such as `arn:aws:iam::123456789012:role/ci-runner`")
    };
    partition(given).map(|_| given.to_owned()).ok_or_else(refusal)
}

pub(crate) fn external_id(given: &str) -> CheckResult<String> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@:/-".contains(&b);
    if EXTERNAL_ID.contains(&given.len()) && given.bytes().all(allowed) {
        return Ok(given.to_owned());
    }
    let (min, max) = (EXTERNAL_ID.start(), EXTERNAL_ID.end());
    Err(ValueRefusal::new(format!(
        "allowed are {min} to {max} ASCII letters, digits and `_ + = , . @ : / -`"
    )))
}

pub(crate) fn session_name(given: &str) -> CheckResult<String> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b);
    if SESSION_NAME.contains(&given.len()) && given.bytes().all(allowed) {
        return Ok(given.to_owned());
    }
    let (min, max) = (SESSION_NAME.start(), SESSION_NAME.end());
    Err(ValueRefusal::new(format!(
        "allowed are {min} to {max} ASCII letters, digits and `_ + = , . @ -`"
    )))
}
