//! `AssumeRole` of STS: temporary keys for a role, if the role exists and the external id is right.
//!
//! Source, for limits and words: AWS Security Token Service API Reference, `AssumeRole`.

use std::time::Duration;

use super::roles::AssumableRoles;
use crate::account::ACCOUNT;
use crate::services::context::RequestContext;
use crate::wire::credentials::CallerPrincipal;
use crate::wire::exception::ServiceException;
use crate::wire::form::FormFields;
use crate::wire::timestamp;
use crate::wire::xml::XmlElement;

/// How many seconds keys can last, and how many they last by default.
const LIFETIMES_S: std::ops::RangeInclusive<u64> = 900..=43_200;
const DEFAULT_LIFETIME_S: u64 = 3600;

pub fn assume_role(
    members: &FormFields,
    context: &RequestContext<'_>,
) -> Result<Vec<XmlElement>, ServiceException> {
    let text = |name: &str| members.get(name).map(String::as_str).filter(|text| !text.is_empty());
    let arn = text("RoleArn").ok_or_else(|| missing("roleArn"))?;
    let session = text("RoleSessionName").ok_or_else(|| missing("roleSessionName"))?;
    check_session_name(session)?;
    let lifetime_s = match text("DurationSeconds").map(str::parse::<u64>) {
        None => DEFAULT_LIFETIME_S,
        Some(Ok(seconds)) if LIFETIMES_S.contains(&seconds) => seconds,
        Some(_) => return Err(invalid("durationSeconds", "be between 900 and 43200")),
    };
    context.allowed("sts:AssumeRole", Some(arn))?;
    let prefix = format!("arn:{}:iam::{ACCOUNT}:role/", context.partition());
    let role = arn.strip_prefix(&prefix).and_then(|path| path.rsplit('/').next());
    let roles = context.cloud.states.of::<AssumableRoles>();
    let role = role.filter(|role| roles.may_assume(role, text("ExternalId")));
    let Some(role) = role else {
        return Err(context.refused("sts:AssumeRole", Some(arn), ""));
    };
    let principal = CallerPrincipal::Session { role: role.to_owned(), session: session.to_owned() };
    let (own_arn, own_id) = (principal.arn(context.partition()), principal.unique_id());
    let lifetime = Duration::from_secs(lifetime_s);
    let keys = context.cloud.keys.issue(principal, context.now, lifetime);
    Ok(vec![
        XmlElement::new("Credentials")
            .with(XmlElement::text("AccessKeyId", &keys.access_key_id))
            .with(XmlElement::text("SecretAccessKey", &keys.secret_access_key))
            .with(XmlElement::text("SessionToken", &keys.session_token))
            .with(XmlElement::text("Expiration", timestamp::iso_date(keys.expires_at))),
        XmlElement::new("AssumedRoleUser")
            .with(XmlElement::text("AssumedRoleId", own_id))
            .with(XmlElement::text("Arn", own_arn)),
    ])
}

fn check_session_name(session: &str) -> Result<(), ServiceException> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b);
    if (2..=64).contains(&session.len()) && session.bytes().all(allowed) {
        return Ok(());
    }
    Err(invalid("roleSessionName", "satisfy regular expression pattern: [\\w+=,.@-]*"))
}

fn missing(name: &str) -> ServiceException {
    invalid(name, "not be null")
}

fn invalid(name: &str, rule: &str) -> ServiceException {
    ServiceException::new(
        "ValidationError",
        format!(
            "1 validation error detected: Value at '{name}' failed to satisfy constraint: Member must {rule}"
        ),
    )
}
