//! A policy as IAM takes it: calls with equal resources and conditions share a statement.

use serde_json::{Value, json};

use crate::needed_call::NeededCall;

/// The version of the language. Source: IAM User Guide, "IAM JSON policy elements: Version".
const VERSION: &str = "2012-10-17";

/// A policy that allows exactly these calls. It denies nothing.
#[derive(Clone, Debug)]
pub struct IamPolicy {
    statements: Vec<IamStatement>,
}

#[derive(Clone, Debug)]
struct IamStatement {
    actions: Vec<&'static str>,
    resources: Vec<String>,
    condition: Value,
}

impl IamPolicy {
    /// The policy for these calls.
    #[must_use]
    pub fn allowing(calls: &[NeededCall]) -> Self {
        let mut statements: Vec<IamStatement> = Vec::new();
        for call in calls {
            let resources: Vec<String> = call.resources.iter().cloned().collect();
            let same = |one: &&mut IamStatement| {
                one.resources == resources && one.condition == call.condition
            };
            match statements.iter_mut().find(same) {
                Some(known) if known.actions.contains(&call.action) => {}
                Some(known) => known.actions.push(call.action),
                None => statements.push(IamStatement {
                    actions: vec![call.action],
                    resources,
                    condition: call.condition.clone(),
                }),
            }
        }
        Self { statements }
    }

    /// Whether it allows nothing: then nobody needs it, and IAM takes no such policy.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }

    /// The policy as JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let statements: Vec<Value> = self.statements.iter().map(IamStatement::to_json).collect();
        json!({ "Version": VERSION, "Statement": statements })
    }

    /// The policy in the form for people: one line for each part of a statement.
    #[must_use]
    pub fn to_text(&self) -> String {
        let statements: Vec<String> = self.statements.iter().map(IamStatement::to_text).collect();
        format!("{{\"Version\": \"{VERSION}\", \"Statement\": [\n{}]}}", statements.join(",\n"))
    }
}

impl IamStatement {
    fn to_json(&self) -> Value {
        let mut statement = json!({
            "Effect": "Allow", "Action": few(&self.actions), "Resource": few(&self.resources),
        });
        if !self.condition.is_null() {
            statement["Condition"] = self.condition.clone();
        }
        statement
    }

    fn to_text(&self) -> String {
        let mut text = format!(
            "  {{\"Effect\": \"Allow\",\n   \"Action\": {},\n   \"Resource\": {}",
            spaced(&few(&self.actions)),
            spaced(&few(&self.resources))
        );
        if !self.condition.is_null() {
            text += &format!(",\n   \"Condition\": {}", spaced(&self.condition));
        }
        text + "}"
    }
}

/// One text alone, or a list.
fn few<T: AsRef<str>>(texts: &[T]) -> Value {
    match texts {
        [one] => json!(one.as_ref()),
        all => all.iter().map(AsRef::as_ref).collect::<Vec<&str>>().into(),
    }
}

/// JSON in one line with blanks after commas and colons.
fn spaced(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            format!("[{}]", items.iter().map(spaced).collect::<Vec<_>>().join(", "))
        }
        Value::Object(members) => {
            let members =
                members.iter().map(|(key, value)| format!("{}: {}", json!(key), spaced(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}
