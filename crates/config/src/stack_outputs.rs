//! What the stack of `infrastructure/` tells of itself: its outputs, as CloudFormation, Terraform, or the
//! parameter that it writes for its manager host give them.
//!
//! It reads text and asks nobody. What the outputs become is the business of `stack_import`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// The version of the outputs that this program reads: `OutputsVersion`.
const VERSION: &str = "1";

/// Outputs that must have a value.
const REQUIRED: [&str; 9] = [
    "OutputsVersion",
    "Region",
    "ClusterName",
    "PrivateSubnetIds",
    "TaskSecurityGroupId",
    "TaskDefinitionFamily",
    "JobImage",
    "ExecutionRoleArn",
    "TaskRoleArn",
];
/// Outputs that depend on what was asked for, or that the configuration does not need.
const OPTIONAL: [&str; 14] = [
    "Architecture",
    "Concurrency",
    "EgressAddresses",
    "FileSystemId",
    "FileSystemSecurityGroupId",
    "ImageBuilderRoleArn",
    "InfrastructureRoleArn",
    "LogGroupName",
    "ManagerInstanceId",
    "ManagerPolicyArn",
    "ManagerRoleArn",
    "ManagerSecurityGroupId",
    "RegistrySecretArn",
    "VpcId",
];

/// Why outputs cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StackOutputsError {
    /// The text is no JSON.
    #[error("no JSON: {0}")]
    NoJson(String),
    /// It is JSON of another kind.
    #[error(
        "neither what `aws cloudformation describe-stacks` nor what `terraform output -json` prints: {0}"
    )]
    OtherForm(String),
    /// The outputs are those of another template. Everything that is wrong, at once.
    #[error("not the outputs of the stack of Fargate Runner: {}", .0.join("; "))]
    Unfit(Vec<String>),
    /// The template is newer than this program.
    #[error("the outputs have version {found}, and this program reads version {VERSION}")]
    OtherVersion {
        /// `OutputsVersion`.
        found: String,
    },
    /// The outputs fit, but a value is none that the configuration allows.
    #[error("an output has a value that the configuration does not allow:\n{0}")]
    Value(String),
}

/// The outputs, checked for their names. A value is never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackOutputs(BTreeMap<String, String>);

impl StackOutputs {
    /// Reads what `aws cloudformation describe-stacks` or `terraform output -json` prints, or one JSON
    /// object with the outputs.
    ///
    /// # Errors
    ///
    /// [`StackOutputsError`] if the text is something else, or names other outputs.
    pub fn read(text: &str) -> Result<Self, StackOutputsError> {
        let text = text.trim_start_matches('\u{feff}');
        let value: Value = serde_json::from_str(text)
            .map_err(|error| StackOutputsError::NoJson(error.to_string()))?;
        let Value::Object(members) = value else {
            return Err(StackOutputsError::OtherForm("no JSON object".to_owned()));
        };
        if let Some(stacks) = members.get("Stacks") {
            return Self::checked(of_cloudformation(stacks)?);
        }
        Self::checked(of_members(&members)?)
    }

    /// Takes pairs of name and value, as `DescribeStacks` gives them.
    ///
    /// # Errors
    ///
    /// [`StackOutputsError::Unfit`] and [`StackOutputsError::OtherVersion`].
    pub fn of(pairs: Vec<(String, String)>) -> Result<Self, StackOutputsError> {
        Self::checked(pairs)
    }

    fn checked(pairs: Vec<(String, String)>) -> Result<Self, StackOutputsError> {
        let mut values = BTreeMap::new();
        let mut unknown = Vec::new();
        for (given, value) in pairs {
            match known(&given) {
                Some(name) if !value.trim().is_empty() => {
                    values.insert(name.to_owned(), value.trim().to_owned());
                }
                Some(_) => {}
                None => unknown.push(given),
            }
        }
        if let Some(found) = values.get("OutputsVersion").filter(|found| *found != VERSION) {
            return Err(StackOutputsError::OtherVersion { found: found.clone() });
        }
        let missing: Vec<&str> =
            REQUIRED.into_iter().filter(|name| !values.contains_key(*name)).collect();
        let mut wrong = Vec::new();
        if !missing.is_empty() {
            wrong.push(format!("missing: {}", missing.join(", ")));
        }
        if !unknown.is_empty() {
            wrong.push(format!("unknown: {}", unknown.join(", ")));
        }
        if wrong.is_empty() { Ok(Self(values)) } else { Err(StackOutputsError::Unfit(wrong)) }
    }

    /// The value of an output; `None` where the stack has none.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        debug_assert!(known(name).is_some(), "{name} is an output");
        self.0.get(name).map(String::as_str)
    }

    /// The items of an output that is a list.
    pub(crate) fn list(&self, name: &str) -> Vec<&str> {
        let items = self.get(name).unwrap_or_default().split(',').map(str::trim);
        items.filter(|item| !item.is_empty()).collect()
    }
}

/// The output with this name of CloudFormation (`ClusterName`) or of Terraform (`cluster_name`).
fn known(given: &str) -> Option<&'static str> {
    let mut names = REQUIRED.into_iter().chain(OPTIONAL);
    names.find(|name| *name == given || snake_case(name) == given)
}

fn snake_case(name: &str) -> String {
    let mut out = String::new();
    for (at, letter) in name.char_indices() {
        if letter.is_ascii_uppercase() && at > 0 {
            out.push('_');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}

fn of_cloudformation(stacks: &Value) -> Result<Vec<(String, String)>, StackOutputsError> {
    let other = |why: &str| StackOutputsError::OtherForm(why.to_owned());
    let [stack] = stacks.as_array().map_or(&[] as &[Value], Vec::as_slice) else {
        return Err(other("exactly one stack is expected; name it by `--stack-name`"));
    };
    let outputs = stack["Outputs"].as_array().map_or(&[] as &[Value], Vec::as_slice);
    let pair = |output: &Value| {
        let text = |member: &str| output[member].as_str().map(str::to_owned);
        text("OutputKey").zip(text("OutputValue"))
    };
    let pairs: Option<Vec<_>> = outputs.iter().map(pair).collect();
    pairs.ok_or_else(|| other("an output without `OutputKey` or `OutputValue`"))
}

/// Terraform wraps each value in an object; the parameter of the stack does not.
fn of_members(members: &Map<String, Value>) -> Result<Vec<(String, String)>, StackOutputsError> {
    let pair = |(name, given): (&String, &Value)| {
        let value = match given {
            Value::Object(wrapped) => wrapped.get("value").unwrap_or(&Value::Null),
            plain => plain,
        };
        let text = text_of(value).ok_or_else(|| {
            StackOutputsError::OtherForm(format!("`{name}` is no text and no list of texts"))
        })?;
        Ok((name.clone(), text))
    };
    members.iter().map(pair).collect()
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null => Some(String::new()),
        Value::Array(items) => {
            let texts: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
            texts.map(|texts| texts.join(","))
        }
        Value::Bool(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_output_has_one_name_in_each_tool() {
        assert_eq!(snake_case("PrivateSubnetIds"), "private_subnet_ids");
        for name in REQUIRED.into_iter().chain(OPTIONAL) {
            assert_eq!((known(name), known(&snake_case(name))), (Some(name), Some(name)));
        }
        assert_eq!(known("privatesubnetids"), None);
    }
}
