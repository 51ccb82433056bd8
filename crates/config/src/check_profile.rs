//! Whether the settings of one profile, put together from its layers, are complete and fit each
//! other; and the profile they make.
//!
//! Each value by itself was checked before, in `layer`.

use std::path::Path;

use fargate_model::region::AwsPartition;
use fargate_model::size::{FargateSize, allowed_memory_mib};

use crate::check::EcsArn;
use crate::keys::ConfigSection;
use crate::layer::SettingsLayer;
use crate::problem::{ConfigError, ConfigProblem};
use crate::profile::{
    AccountSettings, ClientKeyKind, HostKey, JobProfile, LaunchMode, LaunchType, PublicIp,
    RoleSettings, Shell, SshSettings,
};
use crate::reader::{KeyLocation, LocatedValue};
use crate::role;
use crate::timeouts::{JobTimeouts, TIMEOUT_KEYS, TimeoutValue};

/// Most tags of ours on a task: ECS takes 50, and the product keeps 10 for its own.
///
/// Source: Amazon ECS API Reference, `RunTask`.
pub(crate) const MAX_TAGS: usize = 40;

/// The container that scripts run in unless the file says otherwise.
pub(crate) const DEFAULT_CONTAINER: &str = "job";

/// The user and port of the agent unless the file says otherwise.
pub(crate) const DEFAULT_USER: &str = "root";
pub(crate) const DEFAULT_PORT: u16 = 22;

pub(crate) const DEFAULT_LAUNCH_TYPE: LaunchType = LaunchType::Fargate;
pub(crate) const DEFAULT_HOST_KEY: HostKey = HostKey::Seed;
pub(crate) const DEFAULT_PUBLIC_IP: PublicIp = PublicIp::None;
pub(crate) const DEFAULT_CLIENT_KEY: ClientKeyKind = ClientKeyKind::Ed25519;
pub(crate) const DEFAULT_SHELL: Shell = Shell::Bash;

/// Pairs of which the first is at most the second.
const NOT_ABOVE: [(&str, &str); 5] = [
    ("start", "prepare"),
    ("dial", "handshake"),
    ("api_connect", "api_attempt"),
    ("api_attempt", "api_operation"),
    ("poll_min", "poll_max"),
];

/// Required settings that a merged layer lacks.
pub(crate) fn missing_names(layer: &SettingsLayer) -> Vec<&'static str> {
    let required = [
        ("cluster", layer.cluster.is_some()),
        ("subnets", layer.subnets.is_some()),
        ("security_groups", layer.security_groups.is_some()),
        ("task_definition", layer.task_definition.is_some()),
    ];
    required.iter().filter(|(_, there)| !there).map(|(name, _)| *name).collect()
}

/// A problem for each required setting that a merged layer lacks.
pub(crate) fn missing(layer: &SettingsLayer, path: &Path) -> Vec<ConfigProblem> {
    let problem = |name: &'static str| {
        let key = format!("{}.{name}", layer.place.key);
        let inherited = if layer.name.is_some() { ", here and in `[defaults]`" } else { "" };
        let message = format!("key `{key}` is missing{inherited}");
        let example = ConfigSection::Settings.example(name);
        let hint = example.map(|line| format!("for example `{line}`"));
        let line = layer.place.line;
        ConfigProblem { path: path.to_owned(), line, key: Some(key), message, hint }
    };
    missing_names(layer).into_iter().map(problem).collect()
}

/// A problem for each pair of settings that do not fit each other.
pub(crate) fn misfits(layer: &SettingsLayer, path: &Path) -> Vec<ConfigProblem> {
    let mut found = Vec::new();
    found.extend(size(layer, path));
    found.extend(regions(layer, path));
    found.extend(role_partition(layer, path));
    found.extend(role_missing(layer, path));
    found.extend(tag_count(layer, path));
    found.extend(NOT_ABOVE.iter().filter_map(|(less, more)| not_above(layer, less, more, path)));
    found
}

/// The profile that a merged layer makes.
pub(crate) fn profile(layer: SettingsLayer, path: &Path) -> Result<JobProfile, ConfigError> {
    let mut problems = missing(&layer, path);
    problems.extend(misfits(&layer, path));
    let SettingsLayer {
        cluster: Some(cluster),
        subnets: Some(subnets),
        security_groups: Some(security_groups),
        task_definition: Some(task_definition),
        ..
    } = layer
    else {
        return Err(ConfigError { problems });
    };
    if !problems.is_empty() {
        return Err(ConfigError { problems });
    }
    let port = layer.port.and_then(|given| u16::try_from(given.value).ok());
    Ok(JobProfile {
        name: layer.name,
        cluster: cluster.value,
        region: value(layer.region),
        subnets: subnets.value,
        security_groups: security_groups.value,
        task_definition: task_definition.value,
        container: value(layer.container).unwrap_or_else(|| DEFAULT_CONTAINER.to_owned()),
        launch: value(layer.launch).unwrap_or(LaunchMode::Type(DEFAULT_LAUNCH_TYPE)),
        platform_version: value(layer.platform_version),
        cpu_units: value(layer.cpu),
        memory_mib: value(layer.memory),
        host_key: value(layer.host_key).unwrap_or(DEFAULT_HOST_KEY),
        public_ip: value(layer.public_ip).unwrap_or(DEFAULT_PUBLIC_IP),
        enable_execute_command: value(layer.enable_execute_command).unwrap_or_default(),
        job_task_definitions: value(layer.job_task_definitions).unwrap_or_default(),
        job_platform_versions: value(layer.job_platform_versions).unwrap_or_default(),
        account: AccountSettings {
            role: layer.role_arn.map(|arn| RoleSettings {
                arn: arn.value,
                external_id: value(layer.role_external_id),
                session_name: value(layer.role_session_name),
            }),
            ca_bundle: value(layer.ca_bundle).map(Into::into),
        },
        shell: value(layer.shell).unwrap_or(DEFAULT_SHELL),
        builds_dir: value(layer.builds_dir),
        cache_dir: value(layer.cache_dir),
        ssh: SshSettings {
            user: value(layer.user).unwrap_or_else(|| DEFAULT_USER.to_owned()),
            port: port.unwrap_or(DEFAULT_PORT),
            client_key: value(layer.client_key).unwrap_or(DEFAULT_CLIENT_KEY),
        },
        timeouts: timeouts(&layer.timeouts),
        tags: layer.tags.into_iter().map(|(name, tag)| (name, tag.value)).collect(),
    })
}

fn value<T>(placed: Option<LocatedValue<T>>) -> Option<T> {
    placed.map(|placed| placed.value)
}

fn timeouts(
    given: &std::collections::BTreeMap<&'static str, LocatedValue<TimeoutValue>>,
) -> JobTimeouts {
    let mut timeouts = JobTimeouts::default();
    for key in TIMEOUT_KEYS {
        if let Some(placed) = given.get(key.name) {
            (key.set)(&mut timeouts, placed.value);
        }
    }
    timeouts
}

fn problem(path: &Path, place: &KeyLocation, rest: &str, hint: Option<String>) -> ConfigProblem {
    let message = format!("key `{}` {rest}", place.key);
    ConfigProblem {
        path: path.to_owned(),
        line: place.line,
        key: Some(place.key.clone()),
        message,
        hint,
    }
}

fn on_line(place: &KeyLocation) -> String {
    place.line.map_or_else(String::new, |line| format!(" (line {line})"))
}

fn size(layer: &SettingsLayer, path: &Path) -> Option<ConfigProblem> {
    let (cpu, memory) = (layer.cpu.as_ref()?, layer.memory.as_ref()?);
    let error = FargateSize::check(cpu.value, memory.value).err()?;
    let nearest = error.nearest().memory_mib;
    let hint = Some(format!("`memory = {nearest}`"));
    let allowed: Vec<String> = allowed_memory_mib(cpu.value)?.iter().map(u32::to_string).collect();
    let allowed = allowed.join(", ");
    Some(if cpu.place.line > memory.place.line {
        let from = on_line(&memory.place);
        let rest = format!(
            "is {}, which memory {}{from} does not fit, allowed with it: {allowed}",
            cpu.value, memory.value
        );
        problem(path, &cpu.place, &rest, hint)
    } else {
        let from = on_line(&cpu.place);
        let rest = format!(
            "is {}, which does not fit cpu {}{from}, allowed: {allowed}",
            memory.value, cpu.value
        );
        problem(path, &memory.place, &rest, hint)
    })
}

/// The Region of the key `region` and those inside ARNs, and the accounts inside ARNs, are one.
fn regions(layer: &SettingsLayer, path: &Path) -> Vec<ConfigProblem> {
    let arn = |placed: &'_ Option<LocatedValue<String>>| {
        let placed = placed.as_ref()?;
        Some((placed.place.clone(), placed.value.clone()))
    };
    let mut found = Vec::new();
    let arns: Vec<_> =
        [arn(&layer.cluster), arn(&layer.task_definition)].into_iter().flatten().collect();
    let arns: Vec<_> =
        arns.iter().filter_map(|(place, text)| Some((place, EcsArn::parse(text)?))).collect();
    if let Some(region) = &layer.region {
        for (place, arn) in arns.iter().filter(|(_, arn)| arn.region != region.value) {
            let rest = format!(
                "is in Region {}, `region` is {}{}",
                arn.region,
                region.value,
                on_line(&region.place)
            );
            found.push(problem(path, place, &rest, None));
        }
        return found;
    }
    if let [(cluster, first), (place, second)] = arns.as_slice()
        && (first.region, first.account) != (second.region, second.account)
    {
        let rest = format!(
            "is in Region {} of account {}, the cluster is in Region {} of account {}{}",
            second.region,
            second.account,
            first.region,
            first.account,
            on_line(cluster)
        );
        found.push(problem(path, place, &rest, None));
    }
    found
}

/// A role is of the same partition as the Region.
fn role_partition(layer: &SettingsLayer, path: &Path) -> Option<ConfigProblem> {
    let (given, region) = (layer.role_arn.as_ref()?, layer.region.as_ref()?);
    let (partition, expected) =
        (role::partition(&given.value)?, AwsPartition::of(&region.value).name());
    (partition != expected).then(|| {
        let rest = format!(
            "is in partition {partition}, Region {}{} is in {expected}",
            region.value,
            on_line(&region.place)
        );
        problem(path, &given.place, &rest, None)
    })
}

/// What says how a role is assumed needs a role.
fn role_missing(layer: &SettingsLayer, path: &Path) -> Vec<ConfigProblem> {
    if layer.role_arn.is_some() {
        return Vec::new();
    }
    let without = [&layer.role_external_id, &layer.role_session_name].into_iter().flatten();
    let hint =
        || ConfigSection::Settings.example("assume_role_arn").map(|line| format!("`{line}`"));
    without
        .map(|given| problem(path, &given.place, "stands without `assume_role_arn`", hint()))
        .collect()
}

fn tag_count(layer: &SettingsLayer, path: &Path) -> Option<ConfigProblem> {
    let last = layer.tags.values().max_by_key(|tag| tag.place.line)?;
    let count = layer.tags.len();
    let place = KeyLocation { line: last.place.line, key: format!("{}.tags", layer.place.key) };
    let rest = format!("has {count} tags with those it inherits, at most {MAX_TAGS} are allowed");
    (count > MAX_TAGS).then(|| problem(path, &place, &rest, None))
}

fn not_above(layer: &SettingsLayer, less: &str, more: &str, path: &Path) -> Option<ConfigProblem> {
    let (low, low_place) = timeout(layer, less)?;
    let (high, high_place) = timeout(layer, more)?;
    let (TimeoutValue::Span(low_span), TimeoutValue::Span(high_span)) = (low, high) else {
        return None;
    };
    if low_span <= high_span {
        return None;
    }
    let from = |place: &Option<&KeyLocation>| place.map_or(" (default)".to_owned(), on_line);
    let line = |place: &Option<&KeyLocation>| place.and_then(|place| place.line);
    let hint = Some(format!("`{less}` is at most `{more}`"));
    match (low_place, high_place) {
        (Some(place), other) if line(&low_place) >= line(&other) => {
            let rest = format!("is {low}, more than `{more}` with {high}{}", from(&other));
            Some(problem(path, place, &rest, hint))
        }
        (other, Some(place)) => {
            let rest = format!("is {high}, less than `{less}` with {low}{}", from(&other));
            Some(problem(path, place, &rest, hint))
        }
        // Two defaults fit each other, which a test holds.
        _ => None,
    }
}

/// A time-out of a merged layer, and its place unless it is the default.
fn timeout<'a>(
    layer: &'a SettingsLayer,
    name: &str,
) -> Option<(TimeoutValue, Option<&'a KeyLocation>)> {
    if let Some(given) = layer.timeouts.get(name) {
        return Some((given.value, Some(&given.place)));
    }
    let key = TIMEOUT_KEYS.iter().find(|key| key.name == name)?;
    Some(((key.get)(&JobTimeouts::default()), None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_fit_each_other() {
        let place = KeyLocation { line: None, key: "defaults".to_owned() };
        assert_eq!(misfits(&SettingsLayer::empty(None, place), Path::new("config.toml")), []);
    }
}
