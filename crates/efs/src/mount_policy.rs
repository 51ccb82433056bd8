//! The policy of a file system: our statements in it, and those of others.
//!
//! Ours are known by their Sid. Only those are replaced; those of others stay as they are. The statements
//! allow and deny nothing, so that nobody who was let in by others is shut out by us.
//!
//! Source: Amazon EFS User Guide, "Using IAM to control access to file systems", for actions and condition
//! keys.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

/// How the Sid of each statement of ours begins.
pub const SID_PREFIX: &str = "FargateRunner";
/// Most characters of a policy. Source: Amazon EFS API Reference, `PutFileSystemPolicy`.
pub const MAX_POLICY: usize = 20_000;

const MOUNT: &str = "elasticfilesystem:ClientMount";
const WRITE: &str = "elasticfilesystem:ClientWrite";
const ROOT: &str = "elasticfilesystem:ClientRootAccess";
/// Everybody who reaches a mount target.
pub const EVERYBODY: &str = "*";

/// What one principal may do through one access point.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MountGrant {
    /// The ARN of a role, or [`EVERYBODY`].
    pub principal: String,
    /// The ARN of the access point; `None` for the root of the file system, without one.
    pub access_point: Option<String>,
    /// Whether it may write.
    pub may_write: bool,
    /// Whether only connections with TLS count.
    pub only_tls: bool,
}

/// Our statements for these grants: one for each set of access points, so that a policy stays short.
#[must_use]
pub fn statements(file_system_arn: &str, grants: &BTreeSet<MountGrant>) -> Vec<Value> {
    // Whoever may write may read as well.
    let is_covered = |grant: &MountGrant| {
        !grant.may_write && grants.contains(&MountGrant { may_write: true, ..grant.clone() })
    };
    type Kind<'a> = (&'a str, bool, bool, bool);
    let mut points: BTreeMap<Kind<'_>, BTreeSet<&str>> = BTreeMap::new();
    for grant in grants.iter().filter(|grant| !is_covered(grant)) {
        let has_point = grant.access_point.is_some();
        let kind = (grant.principal.as_str(), grant.may_write, grant.only_tls, has_point);
        points.entry(kind).or_default().extend(grant.access_point.as_deref());
    }
    type Access<'a> = (bool, bool, bool, BTreeSet<&'a str>);
    let mut principals: BTreeMap<Access<'_>, BTreeSet<&str>> = BTreeMap::new();
    for ((principal, may_write, only_tls, has_point), points) in points {
        principals.entry((may_write, only_tls, has_point, points)).or_default().insert(principal);
    }
    let made = principals.into_iter().enumerate();
    made.map(|(at, ((may_write, only_tls, has_point, points), principals))| {
        let mut condition = json!({ "elasticfilesystem:AccessedViaMountTarget": "true" });
        if only_tls {
            condition["aws:SecureTransport"] = "true".into();
        }
        let mut conditions = json!({ "Bool": condition });
        if has_point {
            conditions["StringEquals"] =
                json!({ "elasticfilesystem:AccessPointArn": few(points.iter().copied()) });
        }
        json!({
            "Sid": format!("{SID_PREFIX}{}", at + 1),
            "Effect": "Allow",
            "Principal": { "AWS": few(principals.iter().copied()) },
            "Action": few([MOUNT].into_iter().chain(may_write.then_some(WRITE))),
            "Resource": file_system_arn,
            "Condition": conditions,
        })
    })
    .collect()
}

/// One text, or a list of several: as AWS writes policies.
fn few<'a>(texts: impl Iterator<Item = &'a str>) -> Value {
    let texts: Vec<&str> = texts.collect();
    match texts.as_slice() {
        [one] => json!(one),
        several => json!(several),
    }
}

/// The policy that a file system has.
#[derive(Clone, Debug)]
pub struct FoundPolicy {
    document: Map<String, Value>,
    ours: Vec<Value>,
    foreign: Vec<Value>,
}

impl FoundPolicy {
    /// Reads a policy. `None` is a file system without one.
    ///
    /// # Errors
    ///
    /// What is wrong with the text, in words.
    pub fn read(text: Option<&str>) -> Result<Self, String> {
        let Some(text) = text else {
            return Ok(Self { document: Map::new(), ours: Vec::new(), foreign: Vec::new() });
        };
        let read: Result<Map<String, Value>, _> = serde_json::from_str(text);
        let mut document = read.map_err(|error| format!("it is no JSON object: {error}"))?;
        let statements = match document.remove("Statement") {
            Some(Value::Array(statements)) => statements,
            Some(statement @ Value::Object(_)) => vec![statement],
            _ => return Err("it has no `Statement`".to_owned()),
        };
        let (ours, foreign) = statements.into_iter().partition(is_ours);
        Ok(Self { document, ours, foreign })
    }

    /// Whether it holds exactly these statements of ours, in any order and whatever their Sids.
    #[must_use]
    pub fn has(&self, wanted: &[Value]) -> bool {
        let sorted = |statements: &[Value]| {
            let mut forms: Vec<String> = statements.iter().map(normal_form).collect();
            forms.sort();
            forms
        };
        sorted(&self.ours) == sorted(wanted)
    }

    /// The policy with these statements in place of ours.
    ///
    /// # Errors
    ///
    /// The number of characters, if EFS takes no policy that long.
    pub fn with(&self, wanted: &[Value]) -> Result<String, usize> {
        let mut document = self.document.clone();
        document.entry("Version").or_insert_with(|| "2012-10-17".into());
        let statements = self.foreign.iter().chain(wanted).cloned().collect();
        document.insert("Statement".to_owned(), Value::Array(statements));
        let text = Value::Object(document).to_string();
        let length = text.chars().count();
        if length > MAX_POLICY { Err(length) } else { Ok(text) }
    }

    /// Our statements.
    #[must_use]
    pub fn ours(&self) -> &[Value] {
        &self.ours
    }

    /// The statements of others, each with a name for people and what it opens beyond ours, if
    /// anything.
    #[must_use]
    pub fn foreign(&self) -> Vec<(String, Vec<&'static str>)> {
        self.foreign.iter().enumerate().map(|(at, one)| (name(one, at), opened(one))).collect()
    }
}

fn is_ours(statement: &Value) -> bool {
    statement["Sid"].as_str().is_some_and(|sid| sid.starts_with(SID_PREFIX))
}

fn name(statement: &Value, at: usize) -> String {
    match statement["Sid"].as_str() {
        Some(sid) if !sid.is_empty() => format!("`{sid}`"),
        _ => format!("number {}", at + 1),
    }
}

/// What a statement of somebody else opens more than ours do.
fn opened(statement: &Value) -> Vec<&'static str> {
    if statement["Effect"].as_str() != Some("Allow") {
        return Vec::new();
    }
    let actions = texts(&statement["Action"]);
    let is = |action: &str| {
        actions.iter().any(|given| fits(&given.to_lowercase(), &action.to_lowercase()))
    };
    let lets_in = is(MOUNT) || is(WRITE) || is(ROOT) || !statement["NotAction"].is_null();
    if !lets_in {
        return Vec::new();
    }
    let condition = normal_form(&statement["Condition"]).to_lowercase();
    let mut opened = Vec::new();
    let principal = &statement["Principal"];
    if texts(principal).iter().chain(&texts(&principal["AWS"])).any(|who| who == EVERYBODY)
        || !statement["NotPrincipal"].is_null()
    {
        opened.push("everybody may mount");
    }
    if is(ROOT) || !statement["NotAction"].is_null() {
        opened.push("clients may act as root");
    }
    if !condition.contains("aws:securetransport") {
        opened.push("connections without TLS");
    }
    if !condition.contains("elasticfilesystem:accesspointarn") {
        opened.push("the whole file system, without an access point");
    }
    opened
}

/// Whether a text fits a pattern of a policy, in which `*` stands for any characters and `?` for one.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.chars().next() {
        None => text.is_empty(),
        Some('*') => {
            let rest = &pattern[1..];
            let mut ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
            ends.any(|at| fits(rest, &text[at..]))
        }
        Some(wanted) => {
            let mut letters = text.chars();
            let found = letters.next();
            found.is_some_and(|found| wanted == '?' || wanted == found)
                && fits(&pattern[wanted.len_utf8()..], letters.as_str())
        }
    }
}

/// One text, or those of a list.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

/// A statement in a form that does not depend on how AWS writes it: without its Sid, each single text as a
/// list, and lists in order.
fn normal_form(value: &Value) -> String {
    fn normal(value: &Value) -> Value {
        match value {
            Value::Object(members) => {
                let kept = members.iter().filter(|(key, _)| *key != "Sid");
                Value::Object(kept.map(|(key, value)| (key.clone(), normal(value))).collect())
            }
            Value::Array(items) => {
                let mut items: Vec<Value> = items.iter().map(scalar).collect();
                items.sort_by_key(ToString::to_string);
                Value::Array(items)
            }
            other => Value::Array(vec![scalar(other)]),
        }
    }
    // AWS writes booleans as text.
    fn scalar(value: &Value) -> Value {
        match value {
            Value::Bool(value) => Value::String(value.to_string()),
            other => other.clone(),
        }
    }
    let normal = normal(value);
    // Members in order, whatever the map's own order is.
    fn written(value: &Value) -> String {
        match value {
            Value::Object(members) => {
                let sorted: BTreeMap<&String, String> =
                    members.iter().map(|(key, value)| (key, written(value))).collect();
                format!("{sorted:?}")
            }
            other => other.to_string(),
        }
    }
    written(&normal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(principal: &str, point: &str, may_write: bool) -> MountGrant {
        MountGrant {
            principal: principal.to_owned(),
            access_point: Some(point.to_owned()),
            may_write,
            only_tls: true,
        }
    }

    fn ours(grants: &[MountGrant]) -> Vec<Value> {
        statements("arn:fs", &grants.iter().cloned().collect())
    }

    #[test]
    fn principals_with_the_same_access_share_a_statement_and_no_more() {
        let made = ours(&[
            grant("a", "point-1", true),
            grant("a", "point-1", false),
            grant("b", "point-1", true),
            grant("b", "point-2", false),
        ]);
        let said: Vec<(String, String)> = made
            .iter()
            .map(|one| (one["Principal"]["AWS"].to_string(), one["Action"].to_string()))
            .collect();
        let mount = format!("\"{MOUNT}\"");
        let both = format!("[\"{MOUNT}\",\"{WRITE}\"]");
        assert_eq!(said, [("\"b\"".to_owned(), mount), ("[\"a\",\"b\"]".to_owned(), both)]);
    }

    #[test]
    fn a_policy_that_aws_wrote_in_another_form_is_the_same() {
        let wanted = ours(&[grant("a", "point-1", true), grant("b", "point-1", true)]);
        let text = r#"{"Version":"2012-10-17","Statement":[{"Condition":{"StringEquals":
            {"elasticfilesystem:AccessPointArn":["point-1"]},"Bool":{"aws:SecureTransport":true,
            "elasticfilesystem:AccessedViaMountTarget":"true"}},"Sid":"FargateRunner7","Effect":"Allow",
            "Action":["elasticfilesystem:ClientWrite","elasticfilesystem:ClientMount"],
            "Principal":{"AWS":["b","a"]},"Resource":"arn:fs"}]}"#;
        let found = FoundPolicy::read(Some(text)).unwrap();
        assert!(found.has(&wanted));
        assert!(!found.has(&ours(&[grant("a", "point-1", true)])));
        assert!(!found.has(&[]));
        assert!(FoundPolicy::read(None).unwrap().has(&[]));
    }

    #[test]
    fn statements_of_others_stay_as_they_are_and_ours_are_replaced() {
        let text = r#"{"Version":"2008-10-17","Id":"x","Statement":[{"Sid":"Theirs","Effect":"Deny",
            "Principal":"*","Action":"*"},{"Sid":"FargateRunner1","Effect":"Allow"}]}"#;
        let found = FoundPolicy::read(Some(text)).unwrap();
        let policy = found.with(&ours(&[grant("a", "point-1", false)])).unwrap();
        let policy: Value = serde_json::from_str(&policy).unwrap();
        let sids: Vec<&Value> =
            policy["Statement"].as_array().unwrap().iter().map(|one| &one["Sid"]).collect();
        assert_eq!(sids, ["Theirs", "FargateRunner1"]);
        assert_eq!((&policy["Version"], &policy["Id"]), (&json!("2008-10-17"), &json!("x")));
        assert_eq!(policy["Statement"][1]["Action"], MOUNT);
        assert_eq!(found.foreign(), [("`Theirs`".to_owned(), vec![])], "a refusal opens nothing");
    }

    #[test]
    fn a_policy_longer_than_efs_takes_is_not_made() {
        let many: Vec<MountGrant> =
            (0..300).map(|at| grant("a", &format!("point-{at:0>80}"), true)).collect();
        let none = FoundPolicy::read(None).unwrap();
        assert!(none.with(&ours(&many)).is_err_and(|length| length > MAX_POLICY));
    }

    #[test]
    fn a_policy_that_cannot_be_read_is_an_error() {
        for odd in ["", "[]", "{}", "{\"Statement\":3}", "nonsense"] {
            assert!(FoundPolicy::read(Some(odd)).is_err(), "{odd}");
        }
    }
}
