//! The errors of Secrets Manager, in its words.
//!
//! Source: AWS Secrets Manager API Reference, and messages of the service as public issue trackers quote
//! them.

use crate::wire::exception::ServiceException;

/// No secret has this name or ARN.
pub fn no_secret() -> ServiceException {
    not_found("Secrets Manager can't find the specified secret.")
}

/// The secret has no version with this label.
pub fn no_value_with_label(label: &str) -> ServiceException {
    not_found(&format!(
        "Secrets Manager can't find the specified secret value for staging label: {label}"
    ))
}

/// The secret has no version with this id.
pub fn no_value_with_id(id: &str) -> ServiceException {
    not_found(&format!("Secrets Manager can't find the specified secret value for VersionId: {id}"))
}

/// The secret is marked for deletion.
pub fn marked_for_deletion() -> ServiceException {
    request("You can't perform this operation on the secret because it was marked for deletion.")
}

/// Another secret has the name.
pub fn name_taken(name: &str) -> ServiceException {
    exists(format!("The operation failed because the secret {name} already exists."))
}

/// The token of the request belongs to a version with another value.
pub fn token_taken(token: &str, arn: &str) -> ServiceException {
    exists(format!(
        "You can't use ClientRequestToken {token} because that value is already in use for a version of \
         secret {arn}."
    ))
}

/// The request does not fit the state of the secret, or two members do not fit each other.
pub fn request(message: &str) -> ServiceException {
    ServiceException::new("InvalidRequestException", message)
}

/// A member breaks a rule of the service's model, in the words of the layer that checks the model.
pub fn validation(member: &str, rule: &str) -> ServiceException {
    ServiceException::new(
        "ValidationException",
        format!(
            "1 validation error detected: Value at '{member}' failed to satisfy constraint: Member must \
             {rule}"
        ),
    )
}

fn not_found(message: &str) -> ServiceException {
    ServiceException::new("ResourceNotFoundException", message)
}

fn exists(message: String) -> ServiceException {
    ServiceException::new("ResourceExistsException", message)
}
