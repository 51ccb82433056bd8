//! One question to IAM: may this be done, to this resource, in these circumstances?

use std::collections::BTreeMap;

/// A question. It does not say who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessQuestion {
    /// For example `ecs:RunTask`.
    pub action: String,
    /// The ARN of the resource; `*` where the action knows no resources.
    pub resource: String,
    /// The values of condition keys, by their names in small letters. A key that is not here has no value.
    facts: BTreeMap<String, Vec<String>>,
}

impl AccessQuestion {
    /// A question without circumstances.
    pub fn new(action: impl Into<String>, resource: impl Into<String>) -> Self {
        Self { action: action.into(), resource: resource.into(), facts: BTreeMap::new() }
    }

    /// Adds a value of a condition key.
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        // The names of condition keys do not depend on case.
        self.facts.entry(key.to_lowercase()).or_default().push(value.into());
        self
    }

    /// The values of a condition key.
    pub fn values(&self, key: &str) -> &[String] {
        self.facts.get(&key.to_lowercase()).map(Vec::as_slice).unwrap_or_default()
    }
}
