//! `[volume.NAME]`: reads the volumes of a file, and says what is wrong with those that profiles name.

use std::path::Path;

use crate::check;
use crate::keyword::VolumeSeparation;
use crate::layer::SettingsLayer;
use crate::named_sections::NamedSections;
use crate::problem::ConfigProblem;
use crate::reader::{ConfigReader, ConfigTable};
use crate::settings::{JobProfile, StorageVolume, TmpfsMount};
use crate::table::SettingKey;
use crate::unknown_key;
use crate::value::{KeyLocation, LocatedValue, SettingsTable};

/// A volume as the file has it.
#[derive(Clone, Debug)]
pub(crate) struct VolumeSection {
    pub(crate) name: String,
    pub(crate) values: SettingsTable,
}

impl VolumeSection {
    /// The checked volume; `None` if a required key is missing.
    pub(crate) fn volume(&self) -> Option<StorageVolume> {
        StorageVolume::from_values(&self.values, self.name.clone())
    }
}

/// Reads every `[volume.NAME]`, in the order of the file.
pub(crate) fn read(reader: &mut ConfigReader<'_>, top: &ConfigTable<'_>) -> Vec<VolumeSection> {
    let named = NamedSections {
        table: "volume",
        kind: "volume",
        section: StorageVolume::SECTION,
        name_check: check::volume_name,
    };
    let read = named.read(reader, top);
    read.iter().for_each(|(_, values)| fits(reader, values));
    read.into_iter().map(|(name, values)| VolumeSection { name, values }).collect()
}

/// Reports keys of one volume that do not fit each other.
fn fits(reader: &mut ConfigReader<'_>, values: &SettingsTable) {
    let point: Option<LocatedValue<String>> = values.get("access_point");
    let separation: Option<LocatedValue<VolumeSeparation>> = values.get("separation");
    if let (Some(point), Some(separation)) = (&point, &separation)
        && separation.value == VolumeSeparation::Project
    {
        let rest = "stands beside `separation = \"project\"`, which gives each project its own";
        reader.report(&point.place, rest, Some("leave out `access_point`".to_owned()));
    }
    let encrypted: Option<LocatedValue<bool>> = values.get("transit_encryption");
    let Some(plain) = encrypted.filter(|encrypted| !encrypted.value) else { return };
    let has_iam = values.get::<bool>("iam").is_none_or(|iam| iam.value);
    let is_root = point.is_some_and(|point| point.value == "none");
    if has_iam || !is_root {
        let rest =
            "is `false`, which ECS allows only with `iam = false` and `access_point = \"none\"`";
        reader.report(&plain.place, rest, Some("leave out `transit_encryption`".to_owned()));
    }
}

/// What is wrong with the volumes and folders that a profile mounts.
pub(crate) fn conflicts(
    layer: &SettingsLayer,
    volumes: &[VolumeSection],
    path: &Path,
) -> Vec<ConfigProblem> {
    let mut found = Vec::new();
    let mut mounted: Vec<(String, String)> = Vec::new();
    let named: Option<LocatedValue<Vec<String>>> = layer.values.get("volumes");
    for name in named.iter().flat_map(|named| &named.value) {
        let place = &named.as_ref().expect("a name has a list").place;
        let Some(section) = volumes.iter().find(|volume| volume.name == *name) else {
            found.push(unknown(path, place, name, volumes));
            continue;
        };
        let Some(volume) = section.volume() else { continue };
        if volume.iam && !layer.values.has("task_role") {
            let rest =
                format!("has \"{name}\", which needs `task_role`, the role that may mount it");
            let key = JobProfile::SECTION.key("task_role").and_then(SettingKey::example_value);
            let hint = key.map(|value| format!("`task_role = {value}`, or `iam = false` there"));
            found.push(ConfigProblem::of_key(path, place, &rest, hint));
        }
        found.extend(twice(path, place, &mut mounted, &volume.path, &format!("volume `{name}`")));
    }
    let memory: Option<LocatedValue<Vec<TmpfsMount>>> = layer.values.get("tmpfs");
    for mount in memory.iter().flat_map(|memory| &memory.value) {
        let place = &memory.as_ref().expect("a folder has a list").place;
        found.extend(twice(path, place, &mut mounted, &mount.path, "a folder in memory"));
    }
    found
}

/// A problem if something else is mounted on this path, above it or below it.
fn twice(
    path: &Path,
    place: &KeyLocation,
    mounted: &mut Vec<(String, String)>,
    at: &str,
    what: &str,
) -> Option<ConfigProblem> {
    let at = at.trim_end_matches('/').to_owned();
    let other = mounted.iter().find(|(other, _)| *other == at).cloned();
    mounted.push((at, what.to_owned()));
    let (at, other) = other?;
    let rest = format!("mounts {what} on \"{at}\", where {other} is; each needs a path of its own");
    Some(ConfigProblem::of_key(path, place, &rest, None))
}

fn unknown(
    path: &Path,
    place: &KeyLocation,
    name: &str,
    volumes: &[VolumeSection],
) -> ConfigProblem {
    let names: Vec<&str> = volumes.iter().map(|volume| volume.name.as_str()).collect();
    let given = check::quoted(name);
    let (rest, hint) = match (unknown_key::nearest(name, names.iter().copied()), names.as_slice()) {
        (Some(near), _) => (format!("has {given}, nearest is `[volume.{near}]`"), None),
        (None, []) => (
            format!("has {given}, a volume that is not in the file"),
            Some(format!("add `[volume.{name}]`")),
        ),
        (None, known) => (
            format!("has {given}, a volume that is not in the file; it has: {}", known.join(", ")),
            Some(format!("add `[volume.{name}]`")),
        ),
    };
    ConfigProblem::of_key(path, place, &rest, hint)
}
