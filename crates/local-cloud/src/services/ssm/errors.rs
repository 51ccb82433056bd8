//! The errors of the Parameter Store, in its words.
//!
//! Source: AWS Systems Manager API Reference, and messages of the service as public issue trackers quote
//! them.

use crate::wire::exception::ServiceException;

/// No parameter has this name.
pub fn no_parameter(name: &str) -> ServiceException {
    ServiceException::new("ParameterNotFound", format!("Parameter {name} not found."))
}

/// The parameter has no such version.
pub fn no_version(name: &str, version: i64) -> ServiceException {
    let message = format!("Systems Manager could not find version {version} of {name}.");
    ServiceException::new("ParameterVersionNotFound", message)
}

/// Another parameter has the name, and the request does not ask to replace it.
pub fn already_exists() -> ServiceException {
    ServiceException::new(
        "ParameterAlreadyExists",
        "The parameter already exists. To overwrite this value, set the overwrite option in the request to \
         true.",
    )
}

/// A member breaks a rule of the service.
pub fn validation(message: impl Into<String>) -> ServiceException {
    ServiceException::new("ValidationException", message.into())
}

/// A member breaks a rule of the service's model, in the words of the layer that checks the model.
pub fn model(member: &str, rule: &str) -> ServiceException {
    validation(format!(
        "1 validation error detected: Value at '{member}' failed to satisfy constraint: Member must {rule}"
    ))
}
