//! The JSON of a policy, read into statements. Nothing is judged here.

use serde_json::{Map, Value};

/// A policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PolicyDocument {
    /// Its statements, in their order.
    pub statements: Vec<AccessStatement>,
}

/// A list of patterns, or everything but that list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PatternList {
    /// These.
    Only(Vec<String>),
    /// All but these.
    AllBut(Vec<String>),
    /// The statement does not say; a trust policy has no resources.
    NotSaid,
}

/// One statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AccessStatement {
    /// Whether it allows; else it denies.
    pub allows: bool,
    /// The actions.
    pub actions: PatternList,
    /// The resources.
    pub resources: PatternList,
    /// The principals, each as `KIND:NAME`, for example `AWS:*` or `Service:ecs-tasks.amazonaws.com`. In a
    /// policy of an identity nothing is said.
    pub principals: PatternList,
    /// The conditions: operator, key and values. All must hold.
    pub conditions: Vec<(String, String, Vec<String>)>,
}

impl PolicyDocument {
    /// Reads a document.
    ///
    /// # Errors
    ///
    /// What is wrong with the text, in words.
    pub fn read(text: &str) -> Result<Self, String> {
        let document: Map<String, Value> =
            serde_json::from_str(text).map_err(|error| format!("it is no JSON object: {error}"))?;
        let statements = match document.get("Statement") {
            Some(Value::Array(statements)) => statements.iter().collect(),
            Some(statement @ Value::Object(_)) => vec![statement],
            _ => return Err("it has no `Statement`".to_owned()),
        };
        let statements = statements.into_iter().map(statement).collect::<Result<_, _>>()?;
        Ok(Self { statements })
    }
}

fn statement(value: &Value) -> Result<AccessStatement, String> {
    let members = value.as_object().ok_or("a statement is no JSON object")?;
    let allows = match members.get("Effect").and_then(Value::as_str) {
        Some("Allow") => true,
        Some("Deny") => false,
        _ => return Err("a statement has no `Effect`".to_owned()),
    };
    Ok(AccessStatement {
        allows,
        actions: list(members, "Action", "NotAction", texts),
        resources: list(members, "Resource", "NotResource", texts),
        principals: list(members, "Principal", "NotPrincipal", principals),
        conditions: conditions(members.get("Condition")),
    })
}

fn list(
    members: &Map<String, Value>,
    only: &str,
    all_but: &str,
    read: fn(&Value) -> Vec<String>,
) -> PatternList {
    match (members.get(only), members.get(all_but)) {
        (Some(value), _) => PatternList::Only(read(value)),
        (None, Some(value)) => PatternList::AllBut(read(value)),
        (None, None) => PatternList::NotSaid,
    }
}

/// One text, or those of a list. AWS writes booleans and numbers as texts.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Bool(value) => vec![value.to_string()],
        Value::Number(number) => vec![number.to_string()],
        Value::Null | Value::Object(_) => Vec::new(),
    }
}

fn principals(value: &Value) -> Vec<String> {
    match value {
        Value::Object(kinds) => {
            let named = |(kind, names): (&String, &Value)| {
                texts(names).into_iter().map(|name| format!("{kind}:{name}")).collect::<Vec<_>>()
            };
            kinds.iter().flat_map(named).collect()
        }
        other => texts(other).into_iter().map(|name| format!("AWS:{name}")).collect(),
    }
}

fn conditions(value: Option<&Value>) -> Vec<(String, String, Vec<String>)> {
    let operators = value.and_then(Value::as_object).into_iter().flatten();
    let mut found = Vec::new();
    for (operator, keys) in operators {
        for (key, values) in keys.as_object().into_iter().flatten() {
            found.push((operator.clone(), key.clone(), texts(values)));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_texts_and_lists_mean_the_same() {
        let one = r#"{"Statement": {"Effect": "Allow", "Action": "a:b", "Resource": "*",
            "Principal": "*", "Condition": {"Bool": {"k": true}}}}"#;
        let many = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["a:b"],
            "Resource": ["*"], "Principal": {"AWS": ["*"]}, "Condition": {"Bool": {"k": ["true"]}}}]}"#;
        assert_eq!(PolicyDocument::read(one).unwrap(), PolicyDocument::read(many).unwrap());
    }

    #[test]
    fn what_is_no_policy_is_an_error_and_never_a_panic() {
        let deep = format!("{{\"Statement\":{}", "[".repeat(100_000));
        for odd in [
            "",
            "[]",
            "{}",
            r#"{"Statement": 3}"#,
            r#"{"Statement": [3]}"#,
            r#"{"Statement": [{}]}"#,
            &deep,
        ] {
            assert!(PolicyDocument::read(odd).is_err(), "{}", &odd[..odd.len().min(40)]);
        }
    }
}
