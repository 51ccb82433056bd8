//! Roles: what the ARN or the name of one may be, and the external id and session name with which one
//! is assumed before any call.
//!
//! Whether the role fits the Region is asked in `conflicts`.

use crate::check::{CheckResult, ValueRefusal};

/// Length of a role's ARN, in characters. Source: AWS STS API Reference, `AssumeRole`, `RoleArn`.
const ARN: std::ops::RangeInclusive<usize> = 20..=2048;

/// Length of a role's name. Source: AWS IAM API Reference, `CreateRole`, `RoleName`.
const NAME: std::ops::RangeInclusive<usize> = 1..=64;

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

/// A role as ECS takes it: by its ARN, or by its name in the account of the call.
pub(crate) fn name_or_arn(given: &str) -> CheckResult<String> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b);
    let name = NAME.contains(&given.len()) && given.bytes().all(allowed);
    if name || partition(given).is_some() {
        return Ok(given.to_owned());
    }
    let (min, max) = (NAME.start(), NAME.end());
    let refusal = ValueRefusal::new(format!(
        "allowed are the ARN of a role, or its name of {min} to {max} ASCII letters, digits and \
         `_ + = , . @ -`"
    ));
    Err(refusal.hint("such as `arn:aws:iam::123456789012:role/ci-task`"))
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
