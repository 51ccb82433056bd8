//! Whether the settings of one profile, put together from its layers, are complete and fit each
//! other; and the profile they make.
//!
//! Each value by itself was checked before, when it was read.

use std::path::Path;

use fargate_model::region::AwsPartition;
use fargate_model::size::{FargateSize, allowed_memory_mib};

use crate::channel_reference::{self, ManagedImages};
use crate::check::ResourceArn;
use crate::job_size::JobSize;
use crate::keyword::HostKey;
use crate::layer::SettingsLayer;
use crate::problem::{ConfigError, ConfigProblem};
use crate::role;
use crate::settings::{JobProfile, TaskSecret};
use crate::table::{SettingKey, SettingKind, SettingSection, duration};
use crate::value::{KeyLocation, LocatedValue, SettingValue, SettingsTable};
use crate::volume_sections::{self, VolumeSection};

/// Most tags of ours on a task: ECS takes 50, and the product keeps 10 for its own.
///
/// Source: Amazon ECS API Reference, `RunTask`.
const MAX_TAGS: usize = 40;

/// Required keys that a merged layer lacks.
fn missing_keys(layer: &SettingsLayer) -> impl Iterator<Item = &'static SettingKey> {
    let keys = JobProfile::SECTION.keys.iter();
    keys.filter(|key| {
        let alternative = JobProfile::SECTION.alternative(key.name);
        let given = |key: &SettingKey| layer.values.has(key.name);
        key.is_required() && !given(key) && !alternative.is_some_and(given)
    })
}

/// The names of required keys that a merged layer lacks.
pub(crate) fn missing_names(layer: &SettingsLayer) -> Vec<&'static str> {
    missing_keys(layer).map(|key| key.name).collect()
}

/// A problem for each required key that a merged layer lacks.
pub(crate) fn missing(layer: &SettingsLayer, path: &Path) -> Vec<ConfigProblem> {
    let problem = |required: &SettingKey| {
        let name = required.name;
        let key = format!("{}.{name}", layer.place.key);
        let inherited = if layer.name.is_some() { ", here and in `[defaults]`" } else { "" };
        let message = format!("key `{key}` is missing{inherited}");
        let example = required.example_value();
        let hint = example.map(|value| {
            let other = JobProfile::SECTION.alternative(name);
            let other = other.and_then(|key| Some((key.name, key.example_value()?)));
            let other = other.map(|(name, value)| format!(", or `{name} = {value}`"));
            format!("for example `{name} = {value}`{}", other.unwrap_or_default())
        });
        let line = layer.place.line;
        ConfigProblem { path: path.to_owned(), line, key: Some(key), message, hint }
    };
    missing_keys(layer).map(problem).collect()
}

/// A problem for each pair of settings that do not fit each other.
pub(crate) fn conflicts(layer: &SettingsLayer, path: &Path) -> Vec<ConfigProblem> {
    let mut found = Vec::new();
    found.extend(size(layer, path));
    found.extend(regions(layer, path));
    found.extend(role_partition(layer, path));
    found.extend(tag_count(layer, path));
    found.extend(times_in_order(&layer.values, JobProfile::SECTION, path));
    found
}

/// The profile that a merged layer makes, with those of these volumes and images that it names.
pub(crate) fn profile(
    layer: SettingsLayer,
    volumes: &[VolumeSection],
    images: &ManagedImages,
    path: &Path,
) -> Result<JobProfile, ConfigError> {
    let mut problems = missing(&layer, path);
    problems.extend(conflicts(&layer, path));
    problems.extend(needed_missing(&layer, path));
    problems.extend(volume_sections::conflicts(&layer, volumes, path));
    problems.extend(channel_reference::conflicts(&layer, images, path));
    if !problems.is_empty() {
        return Err(ConfigError { problems });
    }
    let named: Option<LocatedValue<Vec<String>>> = layer.values.get("volumes");
    let volume = |name: &String| volumes.iter().find(|volume| volume.name == *name)?.volume();
    let storage = named.iter().flat_map(|named| &named.value).filter_map(volume).collect();
    let channel = channel_reference::named(&layer, images);
    let listed = channel_reference::listed(&layer, images);
    let size = JobSize::default();
    let profile =
        JobProfile::from_values(&layer.values, layer.name, storage, size, channel, listed);
    Ok(profile.expect("every required key is there, and each value has its field's type"))
}

fn on_line(place: &KeyLocation) -> String {
    place.line.map_or_else(String::new, |line| format!(" (line {line})"))
}

fn size(layer: &SettingsLayer, path: &Path) -> Option<ConfigProblem> {
    let cpu: LocatedValue<u32> = layer.values.get("cpu")?;
    let memory: LocatedValue<u32> = layer.values.get("memory")?;
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
        ConfigProblem::of_key(path, &cpu.place, &rest, hint)
    } else {
        let from = on_line(&cpu.place);
        let rest = format!(
            "is {}, which does not fit cpu {}{from}, allowed: {allowed}",
            memory.value, cpu.value
        );
        ConfigProblem::of_key(path, &memory.place, &rest, hint)
    })
}

/// The Region of the key `region` and those inside ARNs, and the accounts inside ARNs, are one.
fn regions(layer: &SettingsLayer, path: &Path) -> Vec<ConfigProblem> {
    let mut found = Vec::new();
    let given: Vec<LocatedValue<String>> =
        ["cluster", "task_definition"].iter().filter_map(|name| layer.values.get(name)).collect();
    let arns: Vec<_> = given
        .iter()
        .filter_map(|given| Some((&given.place, ResourceArn::of_ecs(&given.value)?)))
        .collect();
    if let Some(region) = layer.values.get::<String>("region") {
        for (place, arn) in arns.iter().filter(|(_, arn)| arn.region != region.value) {
            let rest = format!(
                "is in Region {}, `region` is {}{}",
                arn.region,
                region.value,
                on_line(&region.place)
            );
            found.push(ConfigProblem::of_key(path, place, &rest, None));
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
        found.push(ConfigProblem::of_key(path, place, &rest, None));
    }
    found
}

/// A role is of the same partition as the Region.
fn role_partition(layer: &SettingsLayer, path: &Path) -> Option<ConfigProblem> {
    let given: LocatedValue<String> = layer.values.get("assume_role_arn")?;
    let region: LocatedValue<String> = layer.values.get("region")?;
    let (partition, expected) =
        (role::partition(&given.value)?, AwsPartition::of(&region.value).name());
    (partition != expected).then(|| {
        let rest = format!(
            "is in partition {partition}, Region {}{} is in {expected}",
            region.value,
            on_line(&region.place)
        );
        ConfigProblem::of_key(path, &given.place, &rest, None)
    })
}

/// A problem for each key that says something only beside another one, which is not there.
pub(crate) fn needed_missing(layer: &SettingsLayer, path: &Path) -> Vec<ConfigProblem> {
    let section = JobProfile::SECTION;
    let lacks = |key: &SettingKey| {
        let needed = section.key(key.needs?)?;
        let given = layer.values.value(key.name).filter(|_| !layer.values.has(needed.name))?;
        let name = needed.name;
        let hint = needed.example_value().map(|value| format!("`{name} = {value}`"));
        Some(ConfigProblem::of_key(path, &given.place, &format!("stands without `{name}`"), hint))
    };
    let others = prover_missing(layer, path).into_iter().chain(file_without_agent(layer, path));
    section.keys.iter().filter_map(lacks).chain(others).collect()
}

/// Only fargate-agent writes secrets into files.
fn file_without_agent(layer: &SettingsLayer, path: &Path) -> Option<ConfigProblem> {
    let mode: LocatedValue<HostKey> = layer.values.get("host_key")?;
    let secrets: LocatedValue<Vec<TaskSecret>> = layer.values.get("secrets")?;
    let file = secrets.value.iter().find(|secret| secret.as_file)?;
    if mode.value != HostKey::FirstUse {
        return None;
    }
    let rest = format!(
        "has `{}` with `as_file`, which needs fargate-agent in the image; `host_key` is \"{}\"{}",
        file.name,
        mode.value,
        on_line(&mode.place)
    );
    Some(ConfigProblem::of_key(path, &secrets.place, &rest, Some("leave out `as_file`".to_owned())))
}

/// A host key that the task's role proves needs that role.
fn prover_missing(layer: &SettingsLayer, path: &Path) -> Option<ConfigProblem> {
    let (mode, role) = (HostKey::Sts.as_str(), "task_role");
    let given: LocatedValue<String> = layer.values.get("host_key")?;
    if given.value != mode || layer.values.has(role) {
        return None;
    }
    let example = JobProfile::SECTION.key(role).and_then(SettingKey::example_value);
    let hint = example.map(|value| format!("`{role} = {value}`"));
    let rest = format!("is \"{mode}\", which needs `{role}`, the role that proves the key");
    Some(ConfigProblem::of_key(path, &given.place, &rest, hint))
}

fn tag_count(layer: &SettingsLayer, path: &Path) -> Option<ConfigProblem> {
    let tags = layer.values.table("tags")?;
    let (_, last) = tags.iter().max_by_key(|(_, tag)| tag.place.line)?;
    let count = tags.len();
    let place = KeyLocation { line: last.place.line, key: format!("{}.tags", layer.place.key) };
    let rest = format!("has {count} tags with those it inherits, at most {MAX_TAGS} are allowed");
    (count > MAX_TAGS).then(|| ConfigProblem::of_key(path, &place, &rest, None))
}

/// Times that exceed the time that they may last at most, in a table and in those below it.
fn times_in_order(
    values: &SettingsTable,
    section: &SettingSection,
    path: &Path,
) -> Vec<ConfigProblem> {
    let nothing = SettingsTable::default();
    let mut found = Vec::new();
    for key in section.keys {
        if let SettingKind::Table(below) = key.kind {
            let values = values.table(key.name).unwrap_or(&nothing);
            found.extend(times_in_order(values, below, path));
        }
        let most = key.at_most.and_then(|name| section.key(name));
        found.extend(most.and_then(|most| too_long(values, key, most, path)));
    }
    found
}

fn too_long(
    values: &SettingsTable,
    less: &SettingKey,
    more: &SettingKey,
    path: &Path,
) -> Option<ConfigProblem> {
    let (SettingValue::Time(low), low_place) = in_effect(values, less)? else { return None };
    let (SettingValue::Time(high), high_place) = in_effect(values, more)? else { return None };
    if low <= high {
        return None;
    }
    let (less, more) = (less.name, more.name);
    let (low, high) = (duration(low), duration(high));
    let from = |place: &Option<&KeyLocation>| place.map_or(" (default)".to_owned(), on_line);
    let line = |place: &Option<&KeyLocation>| place.and_then(|place| place.line);
    let hint = Some(format!("`{less}` is at most `{more}`"));
    match (low_place, high_place) {
        (Some(place), other) if line(&low_place) >= line(&other) => {
            let rest = format!("is {low}, more than `{more}` with {high}{}", from(&other));
            Some(ConfigProblem::of_key(path, place, &rest, hint))
        }
        (other, Some(place)) => {
            let rest = format!("is {high}, less than `{less}` with {low}{}", from(&other));
            Some(ConfigProblem::of_key(path, place, &rest, hint))
        }
        // Two defaults fit each other, which a test holds.
        _ => None,
    }
}

/// The value of a key, and its place unless it is the default.
fn in_effect<'v>(
    values: &'v SettingsTable,
    key: &SettingKey,
) -> Option<(SettingValue, Option<&'v KeyLocation>)> {
    match values.value(key.name) {
        Some(given) => Some((given.value.clone(), Some(&given.place))),
        None => Some((key.default_value()?, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_fit_each_other() {
        let nothing = SettingsTable::default();
        let mut compared = 0;
        for section in [JobProfile::SECTION, crate::settings::JobTimeouts::SECTION] {
            for key in section.keys {
                let Some(most) = key.at_most else { continue };
                let value = |name: &str| in_effect(&nothing, section.key(name).unwrap()).unwrap().0;
                let (SettingValue::Time(low), SettingValue::Time(high)) =
                    (value(key.name), value(most))
                else {
                    panic!("{} and {most} are times", key.name);
                };
                assert!(low <= high, "{}", key.name);
                compared += 1;
            }
        }
        assert_eq!(compared, 5);
        let layer = SettingsLayer::empty(None, KeyLocation::without_line("defaults"));
        assert_eq!(conflicts(&layer, Path::new("config.toml")), []);
    }
}
