//! An error as a service answers it: a status, a name and a message. The errors of one service alone
//! stand in its folder.

use serde_json::{Value, json};

use super::member::WrongType;

/// An error answer.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceException {
    /// HTTP status.
    pub status: u16,
    /// The exception's name.
    pub code: String,
    /// What a person reads.
    pub message: String,
    /// `resourceIds` of a `ConflictException`.
    pub resource_ids: Option<Vec<String>>,
    /// The resource that exists already. Services that speak REST show it.
    pub existing: Option<Box<ExistingResource>>,
}

/// A resource that keeps another one from being created.
#[derive(Clone, Debug, PartialEq)]
pub struct ExistingResource {
    /// The member of the answer in which its id stands.
    pub member: &'static str,
    pub id: String,
}

impl ServiceException {
    /// An error of the caller, status 400.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self {
            status: 400,
            code: code.to_owned(),
            message: message.into(),
            resource_ids: None,
            existing: None,
        }
    }

    /// `InvalidParameterException`: a parameter has a value that the service does not accept.
    pub fn parameter(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterException", message)
    }

    /// The caller sends requests too fast.
    ///
    /// Source: Amazon ECS API Reference, "Request throttling for the Amazon ECS API".
    pub fn throttled() -> Self {
        Self::new("ThrottlingException", "Rate exceeded")
    }

    /// The caller has the right that a dry run asked for, and nothing was done.
    ///
    /// Source: Amazon EC2 API Reference, "Error codes".
    pub fn dry_run() -> Self {
        let message = "Request would have succeeded, but DryRun flag is set.";
        Self { status: 412, ..Self::new("DryRunOperation", message) }
    }

    /// The caller's key has expired.
    pub fn expired() -> Self {
        let message = "The security token included in the request is expired";
        Self::new("ExpiredTokenException", message)
    }

    /// The body, with the text in the member of this name.
    pub fn body(&self, message: &str) -> Value {
        let mut body = json!({ "__type": self.code, message: self.message });
        if let Some(ids) = &self.resource_ids {
            body["resourceIds"] = json!(ids);
        }
        body
    }
}

impl From<WrongType> for ServiceException {
    fn from(WrongType(message): WrongType) -> Self {
        Self::new("SerializationException", message)
    }
}
