//! The errors of IAM, in its words, and how it writes names and policies.
//!
//! Source: AWS IAM API Reference, and messages of the service as public issue trackers quote them.

use crate::account::ACCOUNT;
use crate::services::context::RequestContext;
use crate::wire::exception::ServiceException;
use crate::wire::form::FormFields;

/// A required member.
pub fn required<'a>(members: &'a FormFields, name: &str) -> Result<&'a str, ServiceException> {
    let given = members.get(name).map(String::as_str).filter(|text| !text.is_empty());
    given.ok_or_else(|| {
        let mut member = name.to_owned();
        member[..1].make_ascii_lowercase();
        ServiceException::new(
            "ValidationError",
            format!(
                "1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"
            ),
        )
    })
}

/// There is nothing of this name.
pub fn no_entity(message: String) -> ServiceException {
    ServiceException { status: 404, ..ServiceException::new("NoSuchEntity", message) }
}

/// There is no such role.
pub fn no_role(name: &str) -> ServiceException {
    no_entity(format!("The role with name {name} cannot be found."))
}

/// There is no such managed policy.
pub fn no_policy(arn: &str) -> ServiceException {
    no_entity(format!("Policy {arn} was not found."))
}

/// The ARN of a role.
pub fn role_arn(context: &RequestContext<'_>, name: &str) -> String {
    format!("arn:{}:iam::{ACCOUNT}:role/{name}", context.partition())
}

/// A policy as IAM shows it: with percent signs. Source: AWS IAM API Reference, `GetRolePolicy`.
pub fn encoded(policy: &str) -> String {
    let bytes = form_urlencoded::byte_serialize(policy.as_bytes()).collect::<String>();
    // RFC 3986, which IAM follows, has no plus sign for a space.
    bytes.replace('+', "%20")
}
