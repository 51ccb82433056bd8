//! The policy of a file system: who may mount it, write to it and be root in it.
//!
//! It reads statements with principals, actions and the conditions that EFS documents for clients. What it could
//! not evaluate, it refuses when the policy is put, so that no mount is judged wrongly.
//!
//! Source: Amazon EFS User Guide, "Using IAM to control access to file systems"; AWS Identity and Access Management
//! User Guide, "Policy evaluation logic" and "Condition operators".

use serde_json::{Map, Value};

use super::mount_client::MountClient;
use super::policy_condition::PolicyCondition;
use super::policy_text::{PolicyReadError, texts};
use crate::access::text_pattern::fits;

/// A policy that was read.
#[derive(Debug)]
pub struct FileSystemPolicy {
    statements: Vec<PolicyStatement>,
}

#[derive(Debug)]
struct PolicyStatement {
    allows: bool,
    /// `*`, accounts, and ARNs of roles or sessions.
    principals: Vec<String>,
    /// May contain wildcards.
    actions: Vec<String>,
    conditions: Vec<PolicyCondition>,
}

impl FileSystemPolicy {
    /// Reads the policy of the file system `arn`.
    ///
    /// # Errors
    ///
    /// [`PolicyReadError`], if EFS would refuse the policy, or if this cloud could not judge by it.
    pub fn read(text: &str, arn: &str) -> Result<Self, PolicyReadError> {
        let policy: Value = serde_json::from_str(text).map_err(PolicyReadError::NoJson)?;
        let statements = match policy.get("Statement") {
            Some(Value::Array(statements)) if !statements.is_empty() => statements.as_slice(),
            Some(statement @ Value::Object(_)) => std::slice::from_ref(statement),
            _ => return Err(PolicyReadError::Missing("Statement")),
        };
        let statements = statements.iter().map(|statement| PolicyStatement::read(statement, arn));
        Ok(Self { statements: statements.collect::<Result<_, _>>()? })
    }

    /// Whether the client may do `action`: a statement allows it and none denies it.
    pub fn allows(&self, action: &str, client: &MountClient) -> bool {
        let mut meet = self.statements.iter().filter(|one| one.meets(action, client)).peekable();
        meet.peek().is_some() && meet.all(|statement| statement.allows)
    }

    /// Whether a statement without conditions denies `action` to everybody.
    pub fn denies_everybody(&self, action: &str) -> bool {
        self.statements.iter().any(|one| {
            !one.allows
                && one.conditions.is_empty()
                && one.principals.iter().any(|principal| principal == "*")
                && one.names(action)
        })
    }
}

impl PolicyStatement {
    fn read(statement: &Value, arn: &str) -> Result<Self, PolicyReadError> {
        let members = statement.as_object().ok_or(PolicyReadError::Missing("Statement"))?;
        for unusual in ["NotPrincipal", "NotAction", "NotResource"] {
            if members.contains_key(unusual) {
                return Err(PolicyReadError::NotEvaluated(unusual.to_owned()));
            }
        }
        let resources = texts(members.get("Resource"));
        if let Some(other) = resources.iter().find(|given| *given != "*" && *given != arn) {
            let allowed = format!("* and {arn}");
            let given = other.clone();
            return Err(PolicyReadError::Wrong { member: "Resource", given, allowed });
        }
        let allows = match members.get("Effect").and_then(Value::as_str) {
            Some("Allow") => true,
            Some("Deny") => false,
            Some(given) => {
                let (given, allowed) = (given.to_owned(), "Allow and Deny".to_owned());
                return Err(PolicyReadError::Wrong { member: "Effect", given, allowed });
            }
            None => return Err(PolicyReadError::Missing("Effect")),
        };
        let actions = texts(members.get("Action"));
        if actions.is_empty() {
            return Err(PolicyReadError::Missing("Action"));
        }
        if let Some(other) = actions.iter().find(|action| !is_action(action)) {
            let (given, allowed) = (other.clone(), "those of elasticfilesystem".to_owned());
            return Err(PolicyReadError::Wrong { member: "Action", given, allowed });
        }
        let principals = principals(members)?;
        let conditions = PolicyCondition::read_all(members.get("Condition"))?;
        Ok(Self { allows, principals, actions, conditions })
    }

    fn meets(&self, action: &str, client: &MountClient) -> bool {
        self.names(action)
            && self.principals.iter().any(|principal| client.is(principal))
            && self.conditions.iter().all(|condition| condition.holds(client))
    }

    fn names(&self, action: &str) -> bool {
        let action = action.to_lowercase();
        self.actions.iter().any(|pattern| fits(&pattern.to_lowercase(), &action))
    }
}

fn is_action(action: &str) -> bool {
    action == "*" || action.to_lowercase().starts_with("elasticfilesystem:")
}

fn principals(members: &Map<String, Value>) -> Result<Vec<String>, PolicyReadError> {
    let wrong = |given: String| PolicyReadError::Wrong {
        member: "Principal",
        given,
        allowed: "\"*\", and \"AWS\" with accounts, role ARNs or \"*\"".to_owned(),
    };
    match members.get("Principal") {
        None => Err(PolicyReadError::Missing("Principal")),
        Some(Value::String(all)) if all == "*" => Ok(vec![all.clone()]),
        Some(Value::Object(kinds)) => {
            if let Some(other) = kinds.keys().find(|kind| *kind != "AWS") {
                return Err(PolicyReadError::NotEvaluated(format!("principals of {other}")));
            }
            let named = texts(kinds.get("AWS"));
            let is_known = |name: &String| {
                let is_account = name.len() == 12 && name.bytes().all(|b| b.is_ascii_digit());
                name == "*" || name.starts_with("arn:") || is_account
            };
            match named.iter().find(|name| !is_known(name)) {
                Some(other) => Err(wrong(other.clone())),
                None if named.is_empty() => Err(PolicyReadError::Missing("Principal")),
                None => Ok(named),
            }
        }
        Some(other) => Err(wrong(other.to_string())),
    }
}

#[cfg(test)]
mod tests;
