//! What rules have to know of the operations that they name.

use crate::services::definition::{ServiceOperation, TaskReference};
use crate::services::operations;

/// Every operation that a rule may name, in alphabetical order.
pub fn callable() -> Vec<&'static str> {
    operations().iter().map(|operation| operation.rule_name).collect()
}

/// Whether the requests of an operation name tasks that exist.
pub fn names_tasks(name: &str) -> bool {
    is(name, |operation| operation.tasks == TaskReference::Existing)
}

/// Whether the requests of an operation start tasks.
pub fn starts_tasks(name: &str) -> bool {
    is(name, |operation| operation.tasks == TaskReference::Started)
}

/// Whether the answers of an operation are JSON.
pub fn answers_in_json(name: &str) -> bool {
    is(name, ServiceOperation::answers_in_json)
}

fn is(name: &str, property: impl Fn(&ServiceOperation) -> bool) -> bool {
    operations().iter().any(|operation| operation.rule_name == name && property(operation))
}
