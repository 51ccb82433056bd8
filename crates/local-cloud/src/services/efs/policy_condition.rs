//! The conditions of a file system's policy.

use serde_json::Value;

use super::mount_client::MountClient;
use super::policy_text::{PolicyReadError, texts};
use crate::access::text_pattern::fits;

/// One condition: a key, how it is compared, and with what.
#[derive(Debug)]
pub struct PolicyCondition {
    operator: ConditionOperator,
    is_negated: bool,
    /// A client for which the key has no value meets the condition.
    if_exists: bool,
    key: ConditionKey,
    values: Vec<String>,
}

#[derive(Clone, Copy, Debug)]
enum ConditionOperator {
    Equal,
    /// Equal, whatever the case.
    SameWord,
    Like,
}

#[derive(Clone, Copy, Debug)]
enum ConditionKey {
    SecureTransport,
    AccessedViaMountTarget,
    AccessPointArn,
    PrincipalArn,
}

impl PolicyCondition {
    /// The conditions of a statement.
    pub fn read_all(given: Option<&Value>) -> Result<Vec<Self>, PolicyReadError> {
        let Some(given) = given else { return Ok(Vec::new()) };
        let operators = given.as_object().ok_or(PolicyReadError::Missing("Condition"))?;
        let mut conditions = Vec::new();
        for (operator, keys) in operators {
            let keys = keys.as_object().ok_or(PolicyReadError::Missing("Condition"))?;
            for (key, values) in keys {
                conditions.push(Self::read(operator, key, texts(Some(values)))?);
            }
        }
        Ok(conditions)
    }

    fn read(operator: &str, key: &str, values: Vec<String>) -> Result<Self, PolicyReadError> {
        let (name, if_exists) = match operator.strip_suffix("IfExists") {
            Some(name) => (name, true),
            None => (operator, false),
        };
        let (operator, is_negated) = match name {
            "Bool" => (ConditionOperator::SameWord, false),
            "StringEquals" => (ConditionOperator::Equal, false),
            "StringNotEquals" => (ConditionOperator::Equal, true),
            "StringLike" | "ArnEquals" | "ArnLike" => (ConditionOperator::Like, false),
            "StringNotLike" | "ArnNotEquals" | "ArnNotLike" => (ConditionOperator::Like, true),
            _ => return Err(PolicyReadError::NotEvaluated(format!("the operator {operator}"))),
        };
        let key = match key.to_lowercase().as_str() {
            "aws:securetransport" => ConditionKey::SecureTransport,
            "elasticfilesystem:accessedviamounttarget" => ConditionKey::AccessedViaMountTarget,
            "elasticfilesystem:accesspointarn" => ConditionKey::AccessPointArn,
            "aws:principalarn" => ConditionKey::PrincipalArn,
            _ => return Err(PolicyReadError::NotEvaluated(format!("the condition key {key}"))),
        };
        Ok(Self { operator, is_negated, if_exists, key, values })
    }

    /// Whether the client meets it.
    pub fn holds(&self, client: &MountClient) -> bool {
        // A key without a value meets a negated condition, as IAM has it.
        let Some(found) = self.key.of(client) else { return self.if_exists || self.is_negated };
        let is_equal = self.values.iter().any(|value| match self.operator {
            ConditionOperator::Equal => *value == found,
            ConditionOperator::SameWord => value.eq_ignore_ascii_case(&found),
            ConditionOperator::Like => fits(value, &found),
        });
        is_equal != self.is_negated
    }
}

impl ConditionKey {
    fn of(self, client: &MountClient) -> Option<String> {
        match self {
            Self::SecureTransport => Some(client.is_encrypted.to_string()),
            // There is no other way to a file system here.
            Self::AccessedViaMountTarget => Some(true.to_string()),
            Self::AccessPointArn => client.access_point_arn.clone(),
            Self::PrincipalArn => client.role_arn.clone(),
        }
    }
}
