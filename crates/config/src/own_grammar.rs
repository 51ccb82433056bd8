//! Our own grammar: the top of the file, `[images]`, every `[volume.NAME]` and `[image.NAME]`, `[defaults]` and every
//! `[profile.NAME]`.

use std::path::Path;

use crate::check;
use crate::config::{LoadedConfig, RunnerConfig};
use crate::document::{ConfigDocument, ConfigGrammar};
use crate::layer::SettingsLayer;
use crate::named_sections::NamedSections;
use crate::overrides::FlagOverrides;
use crate::patterns::image_pattern;
use crate::problem::{ConfigError, ConfigProblem};
use crate::reader::{ConfigReader, ConfigTable};
use crate::settings::{JobProfile, ManagedImage, StorageVolume};
use crate::table::SettingKind;
use crate::unknown_key::{KnownKey, KnownSection};
use crate::value::{KeyLocation, SettingValue, SettingsTable};
use crate::volume_sections;

/// Every section of a file, with its keys.
pub(crate) fn known_sections() -> Vec<KnownSection> {
    let below = KnownSection::with_sections_below(
        JobProfile::SECTION,
        &["defaults".to_owned(), "profile.NAME".to_owned()],
    );
    let mut top = vec![KnownKey::new("config_version", "config_version = 1")];
    top.extend(RunnerConfig::SECTION.keys.iter().map(|key| match key.example_value() {
        Some(value) => KnownKey::new(key.name, &format!("{} = {value}", key.name)),
        None => KnownKey::new(key.name, &format!("[{}]", key.name)),
    }));
    top.push(KnownKey::new("defaults", "[defaults]"));
    top.push(KnownKey::new("profile", "[profile.NAME]"));
    top.push(KnownKey::new("volume", "[volume.NAME]"));
    top.push(KnownKey::new("images", "[images]"));
    top.push(KnownKey::new("image", "[image.NAME]"));
    let mut known =
        vec![KnownSection::new(RunnerConfig::SECTION.name, "at the top of the file", top)];
    known.extend(below);
    for key in RunnerConfig::SECTION.keys {
        if let SettingKind::Table(section) = key.kind {
            known.extend(KnownSection::with_sections_below(section, &[key.name.to_owned()]));
        }
    }
    let volume = ["volume.NAME".to_owned()];
    known.extend(KnownSection::with_sections_below(StorageVolume::SECTION, &volume));
    let image = ["image.NAME".to_owned()];
    known.extend(KnownSection::with_sections_below(ManagedImage::SECTION, &image));
    known
}

/// Reads a file whose grammar is known to be this one.
pub(crate) fn read(
    reader: ConfigReader<'_>,
    top: &ConfigTable<'_>,
    path: &Path,
    flags: &FlagOverrides,
) -> Result<LoadedConfig, ConfigError> {
    let mut reader = reader.knowing(known_sections());
    let values = reader.settings(top, RunnerConfig::SECTION);
    let defaults = match reader.table(top, "defaults") {
        Some(table) => layer(&mut reader, &table, None),
        None => SettingsLayer::empty(None, KeyLocation::without_line("defaults")),
    };
    let document = ConfigDocument {
        path: path.to_owned(),
        grammar: ConfigGrammar::Own,
        version: reader.value(top, "config_version").map(|(place, _)| place),
        top: flags.top().clone().over(values),
        flags: flags.settings().clone(),
        defaults,
        profiles: profiles(&mut reader, top),
        volumes: volume_sections::read(&mut reader, top),
        managed_images: managed_images(&mut reader, top),
        images: images(&mut reader, top),
    };
    let mut problems = reader.problems;
    // Without the refused values nothing can be said about how values fit each other.
    let mut later = if problems.is_empty() { document.conflicts() } else { Vec::new() };
    later.extend(document.missing().into_iter().filter(|missing| {
        let name = last_part(missing);
        // A refused value of the key that may stand instead counts as given, too.
        let other = JobProfile::SECTION.alternative(name).map(|key| key.name);
        let is_given = |given: &str| given == name || Some(given) == other;
        !reader.meant.iter().any(|meant| is_given(meant))
            && !problems.iter().any(|refused| is_given(last_part(refused)))
    }));
    problems.append(&mut later);
    if !problems.is_empty() {
        problems.sort_by_key(|problem| problem.line.unwrap_or(usize::MAX));
        return Err(ConfigError { problems });
    }
    let mut warnings = reader.warnings;
    warnings.sort_by_key(|warning| warning.line);
    Ok(LoadedConfig { config: RunnerConfig::of(document), warnings, notices: Vec::new() })
}

/// Every `[image.NAME]`.
fn managed_images(
    reader: &mut ConfigReader<'_>,
    top: &ConfigTable<'_>,
) -> Vec<(String, SettingsTable)> {
    let named = NamedSections {
        table: "image",
        kind: "image",
        section: ManagedImage::SECTION,
        name_check: check::volume_name,
    };
    named.read(reader, top)
}

/// `[images]`: which profile runs which image.
fn images(reader: &mut ConfigReader<'_>, top: &ConfigTable<'_>) -> SettingsTable {
    let table = reader.free_table(top, "images", image_pattern, check::profile_name);
    match table.map(|table| table.value) {
        Some(SettingValue::Table(patterns)) => patterns,
        _ => SettingsTable::default(),
    }
}

fn layer(
    reader: &mut ConfigReader<'_>,
    table: &ConfigTable<'_>,
    name: Option<String>,
) -> SettingsLayer {
    let values = reader.settings(table, JobProfile::SECTION);
    SettingsLayer { name, place: table.place.clone(), values }
}

/// The key of a problem without its tables.
fn last_part(problem: &ConfigProblem) -> &str {
    problem.key.as_deref().and_then(|key| key.rsplit('.').next()).unwrap_or_default()
}

fn profiles(reader: &mut ConfigReader<'_>, top: &ConfigTable<'_>) -> Vec<(String, SettingsLayer)> {
    let Some(table) = reader.table(top, "profile") else { return Vec::new() };
    let mut keys: Vec<_> = table.entries.keys().collect();
    keys.sort_by_key(|key| key.span().start);
    let mut profiles = Vec::with_capacity(keys.len());
    for key in keys {
        let name: &str = key.get_ref();
        let place = reader.place(&table, name, key.span().start);
        if let Err(refusal) = check::profile_name(name) {
            let rest = format!("has a name that no profile may have: {}", refusal.allowed);
            reader.report(&place, &rest, refusal.hint);
        } else if let Some(settings) = profile_table(reader, &table, name) {
            let layer = layer(reader, &settings, Some(name.to_owned()));
            profiles.push((name.to_owned(), layer));
        }
    }
    profiles
}

/// The table of a profile; for a setting right under `[profile]` says that a name is missing.
fn profile_table<'t>(
    reader: &mut ConfigReader<'_>,
    table: &ConfigTable<'t>,
    name: &str,
) -> Option<ConfigTable<'t>> {
    let (place, value) = reader.value(table, name)?;
    if JobProfile::SECTION.key(name).is_some() && !value.get_ref().is_table() {
        let rest = "stands right under `[profile]`, a profile has a name";
        reader.report(&place, rest, Some("`[profile.NAME]`".to_owned()));
        return None;
    }
    reader.table(table, name)
}
