//! What ECS or Fargate would refuse of a rendered task definition, found before it is sent: the wrong size,
//! disk, names, roles, containers.
//!
//! Rules that need a look at AWS, such as whether a role exists, are not here.
//!
//! Source of the rules: Amazon ECS API Reference, `RegisterTaskDefinition`, and Amazon ECS Developer Guide,
//! "Task definition differences for Fargate".

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use fargate_model::size::FargateSize;
use fargate_model::text::escape_within;
use serde_json::Value;

use crate::canonical::{CONTENT_TAG, units};
use crate::error::DefinitionProblem;

/// Longest name of a family or container.
const MAX_NAME: usize = 255;
/// Disk of a task in GiB.
const DISK_GIB: RangeInclusive<u64> = 21..=200;
/// Time between SIGTERM and SIGKILL in seconds, on Fargate.
const STOP_TIMEOUT_S: RangeInclusive<u64> = 2..=120;
/// Most containers, and longest definition in bytes. Source: Amazon ECS Developer Guide, "Amazon ECS
/// service quotas".
const MAX_CONTAINERS: usize = 10;
const MAX_BYTES: usize = 64 * 1024;
/// Most tags. Source: Amazon ECS Developer Guide, "Tagging Amazon ECS resources".
const MAX_TAGS: usize = 50;
/// Longest name of a role, and longest ARN. Source: AWS IAM API Reference, `CreateRole`.
const MAX_ROLE: usize = 64;
const MAX_ARN: usize = 2048;

/// Checks a rendered definition. `container` is the one that runs the scripts.
pub(crate) fn problems(definition: &Value, container: &str) -> Vec<DefinitionProblem> {
    let mut found = Vec::new();
    found.extend(family(definition));
    found.extend(fargate(definition));
    found.extend(size(definition));
    found.extend(disk(definition));
    found.extend(role(definition, "executionRoleArn", "execution_role"));
    found.extend(role(definition, "taskRoleArn", "task_role"));
    found.extend(architecture(definition));
    found.extend(containers(definition, container));
    found.extend(volumes(definition));
    found.extend(tags(definition));
    let bytes = definition.to_string().len();
    if bytes > MAX_BYTES {
        let message = format!("the task definition has {bytes} bytes; allowed are {MAX_BYTES}");
        found.push(problem(message, None));
    }
    found
}

fn problem(message: String, hint: Option<String>) -> DefinitionProblem {
    DefinitionProblem { message, hint }
}

/// What was given, harmless and short, in quotes; "nothing" if it is not there.
fn given(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "nothing".to_owned(),
        Some(Value::String(text)) => format!("\"{}\"", escape_within(text, 60)),
        Some(other) => escape_within(&other.to_string(), 60),
    }
}

fn is_name(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=MAX_NAME).contains(&text.len()) && text.bytes().all(allowed)
}

fn family(definition: &Value) -> Option<DefinitionProblem> {
    let family = definition.get("family");
    (!family.and_then(Value::as_str).is_some_and(is_name)).then(|| {
        problem(
            format!(
                "`family` is {}; allowed are 1 to {MAX_NAME} ASCII letters, digits, `-` and `_`",
                given(family)
            ),
            None,
        )
    })
}

fn fargate(definition: &Value) -> Vec<DefinitionProblem> {
    let mut found = Vec::new();
    let mode = definition.get("networkMode");
    if mode.and_then(Value::as_str) != Some("awsvpc") {
        let message = format!("`networkMode` is {}; Fargate needs \"awsvpc\"", given(mode));
        found.push(problem(message, None));
    }
    let kinds = definition.get("requiresCompatibilities");
    let list = kinds.and_then(Value::as_array);
    if !list.is_some_and(|list| list.iter().any(|kind| kind == "FARGATE")) {
        let message = format!(
            "`requiresCompatibilities` is {}; a task of Fargate Runner needs [\"FARGATE\"]",
            given(kinds)
        );
        found.push(problem(message, None));
    }
    found
}

fn size(definition: &Value) -> Option<DefinitionProblem> {
    let read = |name: &str, unit: &str| {
        // ECS takes the two as texts only.
        units(definition.get(name)?.as_str()?, unit)
    };
    let (cpu, memory) = (read("cpu", "vcpu"), read("memory", "gb"));
    let (Some(cpu), Some(memory)) = (cpu, memory) else {
        return Some(problem(
            format!(
                "`cpu` is {} and `memory` is {}; expected are CPU units and MiB as texts, such as \"1024\" \
                 and \"2048\"",
                given(definition.get("cpu")),
                given(definition.get("memory"))
            ),
            None,
        ));
    };
    let error = FargateSize::check(cpu, memory).err()?;
    let FargateSize { cpu_units, memory_mib } = error.nearest();
    let hint = format!("nearest is `cpu = {cpu_units}` with `memory = {memory_mib}`");
    Some(problem(error.to_string(), Some(hint)))
}

fn disk(definition: &Value) -> Option<DefinitionProblem> {
    let size = definition.get("ephemeralStorage")?.get("sizeInGiB");
    let fits = size.and_then(Value::as_u64).is_some_and(|gib| DISK_GIB.contains(&gib));
    (!fits).then(|| {
        problem(
            format!(
                "`ephemeralStorage.sizeInGiB` is {}; allowed are {} to {}",
                given(size),
                DISK_GIB.start(),
                DISK_GIB.end()
            ),
            Some("leave it out for the 20 GiB that every task has".to_owned()),
        )
    })
}

/// A role is a name, or an ARN of a role.
fn role(definition: &Value, member: &str, key: &str) -> Option<DefinitionProblem> {
    let role = definition.get(member)?;
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b);
    let is_role = |text: &str| match text.strip_prefix("arn:") {
        None => (1..=MAX_ROLE).contains(&text.len()) && text.bytes().all(allowed),
        Some(rest) => {
            let parts: Vec<&str> = rest.splitn(5, ':').collect();
            let [partition, "iam", "", account, resource] = parts[..] else { return false };
            text.len() <= MAX_ARN
                && partition.starts_with("aws")
                && account.len() == 12
                && account.bytes().all(|b| b.is_ascii_digit())
                && resource.strip_prefix("role/").is_some_and(|name| {
                    !name.is_empty() && name.bytes().all(|b| allowed(b) || b == b'/')
                })
        }
    };
    (!role.as_str().is_some_and(is_role)).then(|| {
        problem(
            format!("`{member}` is {}; allowed are a role's name and its ARN", given(Some(role))),
            Some(format!("such as `{key} = \"arn:aws:iam::123456789012:role/ci\"`")),
        )
    })
}

fn architecture(definition: &Value) -> Option<DefinitionProblem> {
    let platform = definition.get("runtimePlatform")?;
    let processor = platform.get("cpuArchitecture");
    let system = platform.get("operatingSystemFamily");
    let is = |value: Option<&Value>, words: &[&str]| {
        value.is_none_or(|value| value.as_str().is_some_and(|text| words.contains(&text)))
    };
    if !is(processor, &["X86_64", "ARM64"]) {
        let message = format!(
            "`runtimePlatform.cpuArchitecture` is {}; allowed are \"X86_64\" and \"ARM64\"",
            given(processor)
        );
        return Some(problem(message, None));
    }
    (!is(system, &["LINUX"])).then(|| {
        let message = format!(
            "`runtimePlatform.operatingSystemFamily` is {}; allowed is \"LINUX\"",
            given(system)
        );
        problem(message, None)
    })
}

fn containers(definition: &Value, scripts: &str) -> Vec<DefinitionProblem> {
    let list = definition.get("containerDefinitions").and_then(Value::as_array);
    let list = list.map_or(&[][..], Vec::as_slice);
    let mut found = Vec::new();
    let name = |container: &Value| container.get("name").and_then(Value::as_str).map(str::to_owned);
    let names: Vec<Option<String>> = list.iter().map(name).collect();
    let known: BTreeSet<&str> = names.iter().flatten().map(String::as_str).collect();
    if !known.contains(scripts) {
        let message = format!("the template has no container `{scripts}`, which runs the scripts");
        let hint = match known.is_empty() {
            true => None,
            false => {
                let names: Vec<&str> = known.iter().copied().collect();
                Some(format!("its containers: {}", escape_within(&names.join(", "), 100)))
            }
        };
        found.push(problem(message, hint));
    }
    if known.len() < names.iter().flatten().count() {
        let message = "two containers have the same name".to_owned();
        found.push(problem(message, None));
    }
    if list.len() > MAX_CONTAINERS {
        let message = format!("{} containers; allowed are {MAX_CONTAINERS}", list.len());
        found.push(problem(message, None));
    }
    if !list.is_empty() && list.iter().all(|one| one.get("essential") == Some(&Value::Bool(false)))
    {
        let message = "no container is essential; at least one must be".to_owned();
        found.push(problem(message, None));
    }
    let has_role = definition.get("executionRoleArn").is_some();
    for (container, name) in list.iter().zip(&names) {
        found.extend(one_container(container, name.as_deref(), has_role));
    }
    found
}

fn one_container(
    container: &Value,
    name: Option<&str>,
    has_execution_role: bool,
) -> Vec<DefinitionProblem> {
    let mut found = Vec::new();
    let Some(name) = name.filter(|name| is_name(name)) else {
        let message = format!(
            "a container's `name` is {}; allowed are 1 to {MAX_NAME} ASCII letters, digits, `-` and \
             `_`",
            given(container.get("name"))
        );
        return vec![problem(message, None)];
    };
    let image = container.get("image").and_then(Value::as_str).unwrap_or_default();
    if image.is_empty() {
        found.push(problem(format!("container `{name}` has no image"), None));
    }
    let stop = container.get("stopTimeout");
    if stop.is_some_and(|stop| !stop.as_u64().is_some_and(|s| STOP_TIMEOUT_S.contains(&s))) {
        let message = format!(
            "`stopTimeout` of container `{name}` is {}; Fargate allows {} to {} seconds",
            given(stop),
            STOP_TIMEOUT_S.start(),
            STOP_TIMEOUT_S.end()
        );
        found.push(problem(message, None));
    }
    if container.get("privileged") == Some(&Value::Bool(true)) {
        let message = format!("container `{name}` is privileged, which Fargate does not offer");
        found.push(problem(message, None));
    }
    let driver = container.pointer("/logConfiguration/logDriver").and_then(Value::as_str);
    let needs_role = [
        ("the login of its registry", container.get("repositoryCredentials").is_some()),
        ("the log driver awslogs", driver == Some("awslogs")),
        ("secrets", container.get("secrets").is_some()),
        ("an image of ECR", image.contains(".dkr.ecr.")),
    ];
    if let Some((what, _)) = needs_role.iter().find(|(_, needed)| *needed)
        && !has_execution_role
    {
        let message = format!("container `{name}` has {what}, which needs an execution role");
        let hint = "`execution_role = \"arn:aws:iam::123456789012:role/ci-execution\"`".to_owned();
        found.push(problem(message, Some(hint)));
    }
    found
}

/// The tags are a list, in which there is room for the one that names the content.
fn tags(definition: &Value) -> Option<DefinitionProblem> {
    let tags = definition.get("tags").filter(|tags| !tags.is_null())?;
    let Some(list) = tags.as_array() else {
        return Some(problem(format!("`tags` is {}; a list is expected", given(Some(tags))), None));
    };
    let own = |tag: &&Value| tag.get("key").is_some_and(|key| key == CONTENT_TAG);
    let others = list.len() - list.iter().filter(own).count();
    (others >= MAX_TAGS).then(|| {
        let most = MAX_TAGS - 1;
        problem(
            format!("{others} tags; allowed are {most}, because `{CONTENT_TAG}` is added"),
            None,
        )
    })
}

/// Each mounted volume is there.
fn volumes(definition: &Value) -> Vec<DefinitionProblem> {
    let list = |value: &Value, name: &str| -> Vec<Value> {
        value.get(name).and_then(Value::as_array).cloned().unwrap_or_default()
    };
    let volumes = list(definition, "volumes");
    let mut found = Vec::new();
    for container in list(definition, "containerDefinitions") {
        for mount in list(&container, "mountPoints") {
            let source = mount.get("sourceVolume");
            if !volumes.iter().any(|volume| source.is_some() && volume.get("name") == source) {
                let message =
                    format!("a container mounts the volume {}, which is not there", given(source));
                found.push(problem(message, None));
            }
        }
    }
    found
}
