//! The canonical form of a task definition, in which two of them compare equal if ECS would run the same
//! tasks from them: sorted, without what ECS fills in by itself.
//!
//! A rendered definition and the description of the revision that was registered from it have the same
//! form. Nothing is checked here.
//!
//! Source of the defaults: Amazon ECS API Reference, `RegisterTaskDefinition`, `ContainerDefinition`,
//! `HealthCheck` and `EFSVolumeConfiguration`.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// The tag that names the content of a revision.
pub const CONTENT_TAG: &str = "fargate-runner:content";

/// What ECS tells of a revision beside what was registered, and the tags, which it tells apart.
const NOT_CONTENT: [&str; 10] = [
    "compatibilities",
    "deleteRequestedAt",
    "deregisteredAt",
    "registeredAt",
    "registeredBy",
    "requiresAttributes",
    "revision",
    "status",
    "tags",
    "taskDefinitionArn",
];

/// Lists whose order says nothing, and the member by which their items are sorted.
const UNORDERED: [(&str, &str); 8] = [
    ("portMappings", "containerPort"),
    ("environment", "name"),
    ("secrets", "name"),
    ("secretOptions", "name"),
    ("ulimits", "name"),
    ("mountPoints", "containerPath"),
    ("volumes", "name"),
    ("requiresCompatibilities", ""),
];

/// Members that are false unless somebody says otherwise.
const FALSE: [&str; 7] = [
    "enableFaultInjection",
    "readOnly",
    "privileged",
    "interactive",
    "pseudoTerminal",
    "readonlyRootFilesystem",
    "initProcessEnabled",
];

/// The name of a task definition's content: equal names, equal tasks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentHash(String);

impl ContentHash {
    /// Bytes of the hash that are kept: enough that two contents never meet.
    const BYTES: usize = 16;

    /// The hash as a tag has it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for ContentHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A task definition in canonical form.
#[derive(Clone, Debug, PartialEq)]
pub struct CanonicalDefinition(Value);

impl CanonicalDefinition {
    /// The canonical form of a rendered definition, or of the `taskDefinition` that ECS describes.
    #[must_use]
    pub fn of(definition: &Value) -> Self {
        let mut value = definition.clone();
        if let Some(members) = value.as_object_mut() {
            members.retain(|name, _| !NOT_CONTENT.contains(&name.as_str()));
            whole(members);
        }
        Self(sorted("", &value).unwrap_or_else(|| json!({})))
    }

    /// The form itself.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.0
    }

    /// The hash of the content.
    #[must_use]
    pub fn hash(&self) -> ContentHash {
        let digest = Sha256::digest(self.0.to_string());
        ContentHash(hex::encode(&digest[..ContentHash::BYTES]))
    }
}

/// Takes away the defaults of a whole definition.
fn whole(members: &mut Map<String, Value>) {
    number_of(members, "cpu", "vcpu");
    number_of(members, "memory", "gb");
    // An emulator answers what nobody chose as an empty text.
    for name in ["pidMode", "ipcMode", "executionRoleArn", "taskRoleArn"] {
        without(members, name, &json!(""));
    }
    if let Some(platform) = members.get_mut("runtimePlatform").and_then(Value::as_object_mut) {
        without(platform, "cpuArchitecture", &json!("X86_64"));
        without(platform, "operatingSystemFamily", &json!("LINUX"));
    }
    for container in items(members, "containerDefinitions") {
        own_container(container);
    }
    for volume in items(members, "volumes") {
        if let Some(efs) = volume.get_mut("efsVolumeConfiguration").and_then(Value::as_object_mut) {
            without(efs, "rootDirectory", &json!("/"));
            without(efs, "transitEncryption", &json!("DISABLED"));
            if let Some(rights) = efs.get_mut("authorizationConfig").and_then(Value::as_object_mut)
            {
                without(rights, "iam", &json!("DISABLED"));
            }
        }
    }
}

/// Takes away the defaults of one container.
fn own_container(container: &mut Map<String, Value>) {
    without(container, "cpu", &json!(0));
    without(container, "essential", &json!(true));
    without(container, "versionConsistency", &json!("enabled"));
    for port in items(container, "portMappings") {
        without(port, "protocol", &json!("tcp"));
        // With the network mode of Fargate the two are always the same.
        if port.get("hostPort") == port.get("containerPort") {
            port.remove("hostPort");
        }
        without(port, "hostPort", &json!(0));
    }
    if let Some(check) = container.get_mut("healthCheck").and_then(Value::as_object_mut) {
        for (name, default) in
            [("interval", 30), ("timeout", 5), ("retries", 3), ("startPeriod", 0)]
        {
            without(check, name, &json!(default));
        }
    }
}

/// The objects in a list of this name.
fn items<'v>(
    members: &'v mut Map<String, Value>,
    name: &str,
) -> impl Iterator<Item = &'v mut Map<String, Value>> {
    let list = members.get_mut(name).and_then(Value::as_array_mut);
    list.into_iter().flatten().filter_map(Value::as_object_mut)
}

fn without(members: &mut Map<String, Value>, name: &str, default: &Value) {
    if members.get(name) == Some(default) {
        members.remove(name);
    }
}

/// `"1 vCPU"` and `"2 GB"` as ECS answers them: `"1024"` and `"2048"`.
fn number_of(members: &mut Map<String, Value>, name: &str, unit: &str) {
    let Some(value) = members.get_mut(name) else { return };
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    if let Some(number) = units(&text, unit) {
        *value = Value::from(number.to_string());
    }
}

/// A whole number, or a decimal number of `unit`, each of which is 1024.
pub(crate) fn units(text: &str, unit: &str) -> Option<u32> {
    let text = text.trim().to_ascii_lowercase();
    let Some(number) = text.strip_suffix(unit) else { return text.parse().ok() };
    let (whole, fraction) = number.trim().split_once('.').unwrap_or((number.trim(), ""));
    if fraction.len() > 4 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let whole: u32 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let scale = 10_u32.pow(u32::try_from(fraction.len()).ok()?);
    let part = if fraction.is_empty() { 0 } else { fraction.parse::<u32>().ok()? * 1024 };
    part.is_multiple_of(scale).then(|| whole.checked_mul(1024)?.checked_add(part / scale))?
}

/// The value with sorted members and unordered lists, without what is empty, null or false by default.
/// `None` if nothing is left.
fn sorted(name: &str, value: &Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::Bool(false) if FALSE.contains(&name) => None,
        Value::Object(members) => {
            let mut names: Vec<&String> = members.keys().collect();
            names.sort();
            let filled: Map<String, Value> = names
                .into_iter()
                .filter_map(|name| Some((name.clone(), sorted(name, &members[name])?)))
                .collect();
            (!filled.is_empty()).then_some(Value::Object(filled))
        }
        Value::Array(list) => {
            let mut list: Vec<Value> = list.iter().filter_map(|item| sorted("", item)).collect();
            if let Some((_, by)) = UNORDERED.iter().find(|(unordered, _)| *unordered == name) {
                list.sort_by_key(|item| sort_key(item, by));
            }
            (!list.is_empty()).then_some(Value::Array(list))
        }
        other => Some(other.clone()),
    }
}

/// Numbers before texts, by their size; equal keys by the whole item.
fn sort_key(item: &Value, by: &str) -> (u64, String, String) {
    let key = item.get(by).unwrap_or(item);
    let text = key.as_str().map(str::to_owned).unwrap_or_default();
    (key.as_u64().unwrap_or(u64::MAX), text, item.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_rendered_definition_and_its_description_have_one_form() {
        let rendered = json!({
            "family": "ci", "cpu": "1 vCPU", "memory": "2 GB", "networkMode": "awsvpc",
            "requiresCompatibilities": ["FARGATE"],
            "runtimePlatform": {"cpuArchitecture": "X86_64"},
            "containerDefinitions": [{
                "name": "job", "image": "i", "essential": true,
                "portMappings": [{"containerPort": 2049}, {"containerPort": 22}],
                "environment": [{"name": "B", "value": "2"}, {"name": "A", "value": "1"}],
                "healthCheck": {"command": ["CMD", "x"], "interval": 30},
            }],
            "tags": [{"key": "a", "value": "b"}],
        });
        let described = json!({
            "taskDefinitionArn": "arn:aws:ecs:r:1:task-definition/ci:3", "revision": 3,
            "status": "ACTIVE", "compatibilities": ["EC2", "FARGATE"], "registeredAt": 1.5,
            "registeredBy": "arn", "requiresAttributes": [{"name": "x"}],
            "family": "ci", "cpu": "1024", "memory": "2048", "networkMode": "awsvpc",
            "requiresCompatibilities": ["FARGATE"], "volumes": [], "placementConstraints": [],
            "containerDefinitions": [{
                "name": "job", "image": "i", "cpu": 0, "essential": true, "mountPoints": [],
                "volumesFrom": [], "systemControls": [], "links": [],
                "portMappings": [
                    {"containerPort": 22, "hostPort": 22, "protocol": "tcp"},
                    {"containerPort": 2049, "hostPort": 2049, "protocol": "tcp"},
                ],
                "environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                "healthCheck": {"command": ["CMD", "x"], "interval": 30, "timeout": 5, "retries": 3},
            }],
        });
        let (one, other) =
            (CanonicalDefinition::of(&rendered), CanonicalDefinition::of(&described));
        assert_eq!(one, other);
        assert_eq!(one.hash(), other.hash());
        assert_eq!(one.hash().as_str().len(), 32);
    }

    #[test]
    fn what_makes_another_task_makes_another_hash() {
        let with = |member: &str, value: Value| {
            let mut definition = json!({
                "family": "ci", "cpu": "1024",
                "containerDefinitions": [{"name": "job", "command": ["a", "b"]}],
            });
            *definition.pointer_mut(member).unwrap() = value;
            CanonicalDefinition::of(&definition).hash()
        };
        let same = with("/family", json!("ci"));
        assert_eq!(with("/cpu", json!("1 vCPU")), same);
        for (member, value) in [
            ("/family", json!("other")),
            ("/cpu", json!("2048")),
            ("/containerDefinitions/0/name", json!("other")),
            // The order of a command says something.
            ("/containerDefinitions/0/command", json!(["b", "a"])),
        ] {
            assert_ne!(with(member, value), same, "{member}");
        }
    }

    fn anything() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<u32>().prop_map(Value::from),
            "[a-z ${}]{0,8}".prop_map(Value::from),
        ];
        const NAMES: [&str; 6] =
            ["containerDefinitions", "portMappings", "environment", "cpu", "volumes", "name"];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::vec((proptest::sample::select(&NAMES[..]), inner), 0..4)
                    .prop_map(|members| {
                        let named = |(name, value): (&str, Value)| (name.to_owned(), value);
                        Value::Object(members.into_iter().map(named).collect())
                    }),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_canonical_form_is_its_own(value in anything()) {
            let once = CanonicalDefinition::of(&value);
            prop_assert_eq!(CanonicalDefinition::of(once.value()), once);
        }
    }
}
