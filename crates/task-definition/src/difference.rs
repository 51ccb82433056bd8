//! How two task definitions differ, in words that a person reads.
//!
//! It compares canonical forms, so that what ECS fills in is no difference.

use std::collections::BTreeSet;

use fargate_model::text::escape_within;
use serde_json::Value;

use crate::canonical::CanonicalDefinition;

/// Lists whose items have a name: the list, the member that names an item, and what to call an item.
const NAMED: [(&str, &str, &str); 8] = [
    ("containerDefinitions", "name", "container"),
    ("volumes", "name", "volume"),
    ("environment", "name", "variable"),
    ("secrets", "name", "secret"),
    ("portMappings", "containerPort", "port"),
    ("mountPoints", "containerPath", "mount"),
    ("ulimits", "name", "limit"),
    ("dependsOn", "containerName", "dependency on"),
];

/// Longest value that is shown, in characters.
const SHOWN: usize = 300;

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefinitionDifference {
    /// Where: `container job: image`.
    pub member: String,
    /// The value there before, as JSON; `None` if it is new.
    pub before: Option<String>,
    /// The value there now, as JSON; `None` if it is gone.
    pub now: Option<String>,
}

impl std::fmt::Display for DefinitionDifference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.before, &self.now) {
            (Some(before), Some(now)) => write!(f, "{}: {before} becomes {now}", self.member),
            (None, Some(now)) => write!(f, "{}: {now} is added", self.member),
            (Some(before), None) => write!(f, "{}: {before} is removed", self.member),
            (None, None) => f.write_str(&self.member),
        }
    }
}

/// The differences, in the order of the members' names.
#[must_use]
pub fn differences(
    before: &CanonicalDefinition,
    now: &CanonicalDefinition,
) -> Vec<DefinitionDifference> {
    let mut found = Vec::new();
    compare("", Some(before.value()), Some(now.value()), &mut found);
    found
}

fn compare(
    at: &str,
    before: Option<&Value>,
    now: Option<&Value>,
    found: &mut Vec<DefinitionDifference>,
) {
    match (before, now) {
        (Some(before), Some(now)) if before == now => {}
        (Some(Value::Object(before)), Some(Value::Object(now))) => {
            let names: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
            for name in names {
                match NAMED.iter().find(|(list, _, _)| list == name) {
                    Some((_, by, word)) => {
                        let lists = (before.get(name), now.get(name));
                        compare_items(at, (by, word), lists, found);
                    }
                    None => compare(&below(at, name), before.get(name), now.get(name), found),
                }
            }
        }
        (before, now) => {
            let shown = |value: &Value| escape_within(&value.to_string(), SHOWN);
            found.push(DefinitionDifference {
                member: escape_within(at, SHOWN),
                before: before.map(shown),
                now: now.map(shown),
            });
        }
    }
}

/// Compares items of two lists by their names.
fn compare_items(
    at: &str,
    (by, word): (&str, &str),
    (before, now): (Option<&Value>, Option<&Value>),
    found: &mut Vec<DefinitionDifference>,
) {
    let items = |list: Option<&Value>| list.and_then(Value::as_array).cloned().unwrap_or_default();
    let name = |item: &Value| match item.get(by) {
        Some(Value::String(name)) => name.clone(),
        Some(other) => other.to_string(),
        None => "without a name".to_owned(),
    };
    let (before, now) = (items(before), items(now));
    let names: BTreeSet<String> = before.iter().chain(&now).map(name).collect();
    for wanted in names {
        let of = |list: &[Value]| list.iter().find(|item| name(item) == wanted).cloned();
        let here = below(at, &format!("{word} {wanted}"));
        compare(&here, of(&before).as_ref(), of(&now).as_ref(), found);
    }
}

fn below(at: &str, name: &str) -> String {
    if at.is_empty() { name.to_owned() } else { format!("{at}: {name}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn differences_name_the_container_and_the_member() {
        let before = json!({
            "family": "ci", "cpu": "1024",
            "containerDefinitions": [{
                "name": "job", "image": "team/ci:1", "stopTimeout": 30,
                "environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                "portMappings": [{"containerPort": 22}],
            }],
        });
        let now = json!({
            "family": "ci", "cpu": "2 vCPU",
            "containerDefinitions": [
                {
                    "name": "job", "image": "team/ci:2", "essential": true,
                    "environment": [{"name": "B", "value": "2"}, {"name": "A", "value": "9"}],
                    "portMappings": [{"containerPort": 22}, {"containerPort": 2049}],
                },
                {"name": "side", "image": "b", "essential": false},
            ],
        });
        let (before, now) = (CanonicalDefinition::of(&before), CanonicalDefinition::of(&now));
        let lines: Vec<String> =
            differences(&before, &now).iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        container job: variable A: value: "1" becomes "9"
        container job: image: "team/ci:1" becomes "team/ci:2"
        container job: port 2049: {"containerPort":2049} is added
        container job: stopTimeout: 30 is removed
        container side: {"essential":false,"image":"b","name":"side"} is added
        cpu: "1024" becomes "2048"
        "#);
        assert_eq!(differences(&before, &before), []);
    }
}
