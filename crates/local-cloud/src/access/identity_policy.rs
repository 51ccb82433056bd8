//! A policy of a principal, and its answer to a question.

use serde_json::Value;

use super::access_question::AccessQuestion;
use super::policy_error::IdentityPolicyError;
use super::statement_condition::StatementCondition;
use super::text_pattern::fits;

/// The versions of the language. Source: IAM User Guide, "IAM JSON policy elements: Version".
const VERSIONS: [&str; 2] = ["2012-10-17", "2008-10-17"];

/// A policy that was read.
#[derive(Clone, Debug)]
pub struct IdentityPolicy {
    statements: Vec<IdentityStatement>,
}

/// What policies together say of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessDecision {
    /// A statement allows it, and none denies it.
    Allowed,
    /// No statement is about it.
    NotAllowed,
    /// A statement denies it, whatever others say.
    Denied,
}

#[derive(Clone, Debug)]
struct IdentityStatement {
    allows: bool,
    /// In small letters; may contain wildcards.
    actions: Vec<String>,
    /// May contain wildcards.
    resources: Vec<String>,
    conditions: Vec<StatementCondition>,
}

impl IdentityPolicy {
    /// Reads a policy.
    ///
    /// # Errors
    ///
    /// [`IdentityPolicyError`], if IAM would refuse the policy, or if this cloud could not judge by it.
    pub fn read(text: &str) -> Result<Self, IdentityPolicyError> {
        let policy: Value = serde_json::from_str(text).map_err(IdentityPolicyError::NoJson)?;
        match policy["Version"].as_str() {
            Some(version) if VERSIONS.contains(&version) => {}
            Some(other) => {
                let allowed = "\"2012-10-17\"";
                let given = other.to_owned();
                return Err(IdentityPolicyError::Wrong { member: "Version", given, allowed });
            }
            // The older language has no policy variables; we have none in any version.
            None => {}
        }
        let statements = match &policy["Statement"] {
            Value::Array(statements) if !statements.is_empty() => statements.as_slice(),
            statement @ Value::Object(_) => std::slice::from_ref(statement),
            _ => return Err(IdentityPolicyError::Missing("Statement")),
        };
        let statements = statements.iter().map(IdentityStatement::read);
        Ok(Self { statements: statements.collect::<Result<_, _>>()? })
    }
}

/// What several policies of one principal say together.
pub fn decide<'a>(
    policies: impl IntoIterator<Item = &'a IdentityPolicy>,
    question: &AccessQuestion,
) -> AccessDecision {
    let mut decision = AccessDecision::NotAllowed;
    for statement in policies.into_iter().flat_map(|policy| &policy.statements) {
        if !statement.is_about(question) {
            continue;
        }
        if !statement.allows {
            return AccessDecision::Denied;
        }
        decision = AccessDecision::Allowed;
    }
    decision
}

impl IdentityStatement {
    fn read(statement: &Value) -> Result<Self, IdentityPolicyError> {
        for unusual in ["Principal", "NotPrincipal", "NotAction", "NotResource"] {
            if statement.get(unusual).is_some() {
                return Err(IdentityPolicyError::NotEvaluated(unusual.to_owned()));
            }
        }
        let allows = match statement["Effect"].as_str() {
            Some("Allow") => true,
            Some("Deny") => false,
            Some(given) => {
                let (given, allowed) = (given.to_owned(), "Allow, Deny");
                return Err(IdentityPolicyError::Wrong { member: "Effect", given, allowed });
            }
            None => return Err(IdentityPolicyError::Missing("Effect")),
        };
        let actions = texts(&statement["Action"], "Action")?;
        if let Some(given) = actions.iter().find(|action| *action != "*" && !action.contains(':')) {
            let (given, allowed) = (given.clone(), "*, SERVICE:ACTION");
            return Err(IdentityPolicyError::Wrong { member: "Action", given, allowed });
        }
        let resources = texts(&statement["Resource"], "Resource")?;
        if let Some(given) = resources.iter().find(|one| *one != "*" && !one.starts_with("arn:")) {
            let (given, allowed) = (given.clone(), "*, an ARN");
            return Err(IdentityPolicyError::Wrong { member: "Resource", given, allowed });
        }
        Ok(Self {
            allows,
            actions: actions.iter().map(|action| action.to_lowercase()).collect(),
            resources,
            conditions: StatementCondition::read_all(statement.get("Condition"))?,
        })
    }

    fn is_about(&self, question: &AccessQuestion) -> bool {
        let action = question.action.to_lowercase();
        self.actions.iter().any(|pattern| fits(pattern, &action))
            && self.resources.iter().any(|pattern| fits(pattern, &question.resource))
            && self.conditions.iter().all(|condition| condition.holds(question))
    }
}

/// One text, or a list of at least one. Policy variables are refused.
pub(super) fn texts(
    value: &Value,
    member: &'static str,
) -> Result<Vec<String>, IdentityPolicyError> {
    let found: Vec<String> = match value {
        Value::String(text) => vec![text.clone()],
        Value::Bool(value) => vec![value.to_string()],
        Value::Number(number) => vec![number.to_string()],
        Value::Array(items) => {
            let items = items.iter().map(|item| texts(item, member));
            items.collect::<Result<Vec<_>, _>>()?.concat()
        }
        _ => Vec::new(),
    };
    if found.is_empty() {
        return Err(IdentityPolicyError::Missing(member));
    }
    match found.iter().find(|text| text.contains("${")) {
        Some(variable) => Err(IdentityPolicyError::NotEvaluated(format!("variables ({variable})"))),
        None => Ok(found),
    }
}

#[cfg(test)]
mod tests;
