//! The text of a policy: the values of its members, and why EFS does not take it.

use serde_json::Value;

/// Why EFS does not take a policy.
#[derive(Debug, thiserror::Error)]
pub enum PolicyReadError {
    #[error("The policy is not JSON: {0}")]
    NoJson(serde_json::Error),
    #[error("The policy has no {0}.")]
    Missing(&'static str),
    #[error("The policy has {member} {given}; allowed are {allowed}.")]
    Wrong { member: &'static str, given: String, allowed: String },
    #[error("This local cloud does not evaluate {0} in the policy of a file system.")]
    NotEvaluated(String),
}

/// One text, or those of a list.
pub fn texts(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Bool(value)) => vec![value.to_string()],
        Some(Value::Array(items)) => items.iter().flat_map(|item| texts(Some(item))).collect(),
        _ => Vec::new(),
    }
}
