//! What the members of a request must look like, before any secret is looked at.
//!
//! Source, for each limit: AWS Secrets Manager API Reference, `CreateSecret` and `PutSecretValue`.

use super::errors;
use super::secret_version::{BlobMember, SecretValue};
use crate::wire::exception::ServiceException;

/// Characters of a name.
const MAX_NAME: usize = 512;
/// Bytes of a value.
const MAX_VALUE_BYTES: usize = 65_536;
/// Characters of a token.
const TOKEN: std::ops::RangeInclusive<usize> = 32..=64;

/// Checks the name of a secret that is about to be created.
pub fn name(given: Option<&String>) -> Result<&str, ServiceException> {
    let name = given.map(String::as_str).filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| errors::validation("name", "not be null"))?;
    if name.len() > MAX_NAME {
        return Err(errors::validation("name", "have length less than or equal to 512"));
    }
    check_characters(name)?;
    Ok(name)
}

/// Checks the name or ARN that a request gives.
pub fn secret_id(given: Option<&String>) -> Result<&str, ServiceException> {
    let id = given.map(String::as_str).filter(|id| !id.is_empty());
    let id = id.ok_or_else(|| errors::validation("secretId", "not be null"))?;
    if !id.starts_with("arn:") {
        check_characters(id)?;
    }
    Ok(id)
}

/// Checks the token by which a repeated request is known. Clients of AWS make one by themselves.
pub fn token(given: Option<&String>) -> Result<&str, ServiceException> {
    let token = given.ok_or_else(|| {
        errors::request(
            "You must provide a ClientRequestToken value. We recommend a UUID-type value.",
        )
    })?;
    if !TOKEN.contains(&token.len()) {
        return Err(ServiceException::parameter(
            "ClientRequestToken must be 32-64 characters long.",
        ));
    }
    Ok(token)
}

/// The value of a request, `None` without one.
pub fn value(
    text: Option<String>,
    bytes: Option<BlobMember>,
) -> Result<Option<SecretValue>, ServiceException> {
    let (member, length, value) = match (text, bytes) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => {
            return Err(ServiceException::parameter(
                "You can't specify both a binary secret value and a string secret value in the same \
                 secret.",
            ));
        }
        (Some(text), None) => ("secretString", text.len(), SecretValue::Text(text)),
        (None, Some(BlobMember(bytes))) => ("secretBinary", bytes.len(), SecretValue::Bytes(bytes)),
    };
    match length {
        0 => Err(errors::validation(member, "have length greater than or equal to 1")),
        1..=MAX_VALUE_BYTES => Ok(Some(value)),
        _ => Err(errors::validation(member, "have length less than or equal to 65536")),
    }
}

fn check_characters(name: &str) -> Result<(), ServiceException> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-/_+=.@!".contains(&b);
    if name.bytes().all(allowed) {
        return Ok(());
    }
    Err(ServiceException::new(
        "ValidationException",
        "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: \
         -/_+=.@!",
    ))
}
