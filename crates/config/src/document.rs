//! A whole file: which grammar it is written in, its top level, and its layers.
//!
//! `config_version = 1` means our grammar. A file without that key is in the grammar of GitLab's
//! Fargate driver, which is read in `gitlab`; they are told apart here, before any key is looked at.

use std::path::{Path, PathBuf};

use fargate_model::text::escape_within;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::check;
use crate::config::{
    ConfigGrammar, DEFAULT_STATE_DIR, LoadedConfig, LogFormat, LogLevel, RunnerConfig,
};
use crate::keys::ConfigSection;
use crate::layer::SettingsLayer;
use crate::overrides::FlagOverrides;
use crate::problem::{ConfigError, ConfigProblem};
use crate::reader::{ConfigReader, ConfigTable, KeyLocation, kind};
use crate::{check_profile, gitlab};

/// The version of the grammar that this crate reads.
const VERSION: &str = "1";

/// What a key that is not known means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownKeyPolicy {
    /// A problem like any other: for a person who checks the file.
    Refuse,
    /// A warning: inside a job's stages, so that a binary which was rolled back to an older version
    /// does not stop all jobs.
    Warn,
}

/// The layers of a file.
#[derive(Clone, Debug)]
pub(crate) struct ConfigDocument {
    pub(crate) path: PathBuf,
    pub(crate) grammar: ConfigGrammar,
    /// What flags say; it lies over every profile.
    pub(crate) flags: SettingsLayer,
    pub(crate) defaults: SettingsLayer,
    /// In the order of the file.
    pub(crate) profiles: Vec<(String, SettingsLayer)>,
    /// Keys of the top level that the file or a flag has, under our names, with their places.
    pub(crate) top: Vec<(&'static str, KeyLocation)>,
}

impl ConfigDocument {
    /// A profile laid over `[defaults]`, or `[defaults]` alone, and the flags over both.
    pub(crate) fn merged(&self, profile: Option<(&str, &SettingsLayer)>) -> SettingsLayer {
        let layer = match profile {
            None => self.defaults.clone(),
            Some((_, layer)) => layer.clone().over(self.defaults.clone()),
        };
        let (name, place) = (layer.name.clone(), layer.place.clone());
        SettingsLayer { name, place, ..self.flags.clone() }.over(layer)
    }

    /// `[defaults]` where it is a profile by itself, and each profile, put together.
    fn profiles_put_together(&self) -> Vec<SettingsLayer> {
        if self.profiles.is_empty() {
            return vec![self.merged(None)];
        }
        self.profiles.iter().map(|(name, layer)| self.merged(Some((name, layer)))).collect()
    }

    /// Required keys that are missing.
    fn missing(&self) -> Vec<ConfigProblem> {
        let layers = self.profiles_put_together();
        layers.iter().flat_map(|layer| check_profile::missing(layer, &self.path)).collect()
    }

    /// Values that do not fit each other. What profiles inherit is reported once.
    fn misfits(&self) -> Vec<ConfigProblem> {
        let mut found = check_profile::misfits(&self.merged(None), &self.path);
        for problem in self
            .profiles_put_together()
            .iter()
            .flat_map(|layer| check_profile::misfits(layer, &self.path))
        {
            if !found.contains(&problem) {
                found.push(problem);
            }
        }
        found
    }
}

/// Reads and checks a configuration from its text; `path` is only named in messages.
///
/// # Errors
///
/// Every problem of the file, in its order. Text that is no TOML has one.
pub fn parse(
    text: &str,
    path: &Path,
    unknown: UnknownKeyPolicy,
) -> Result<LoadedConfig, ConfigError> {
    parse_with(text, path, unknown, &FlagOverrides::default())
}

/// As [`parse`], with what flags say over what the file says.
///
/// # Errors
///
/// As [`parse`]; values of flags that do not fit the file are among the problems.
pub fn parse_with(
    text: &str,
    path: &Path,
    unknown: UnknownKeyPolicy,
    flags: &FlagOverrides,
) -> Result<LoadedConfig, ConfigError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = ConfigReader::new(path, text, unknown);
    let document = syntax(&reader, text)?;
    let nowhere = KeyLocation { line: None, key: String::new() };
    let top = ConfigTable { entries: document.get_ref(), place: nowhere };
    match grammar(&mut reader, &top) {
        Some(ConfigGrammar::Own) => version_1(reader, &top, path, flags),
        Some(ConfigGrammar::GitLab) => gitlab::read(reader.loose(), &top, path, flags),
        None => Err(ConfigError { problems: reader.problems }),
    }
}

fn syntax<'t>(
    reader: &ConfigReader<'_>,
    text: &'t str,
) -> Result<Spanned<DeTable<'t>>, ConfigProblem> {
    let at = |line| KeyLocation { line, key: String::new() };
    if let Some(offset) = text.find('\0') {
        let message = "this is no text, it holds a NUL byte".to_owned();
        let hint = "a configuration is a TOML file in UTF-8".to_owned();
        return Err(reader.problem(&at(Some(reader.line(offset))), message, Some(hint)));
    }
    if text.trim().is_empty() {
        let hint = "`fargate-runner config init` writes a file to begin with".to_owned();
        return Err(reader.problem(&at(None), "this file is empty".to_owned(), Some(hint)));
    }
    DeTable::parse(text).map_err(|error| {
        let line = error.span().map(|span| reader.line(span.start.min(text.len())));
        let said = escape_within(error.message(), 200);
        reader.problem(&at(line), format!("TOML syntax: {said}"), None)
    })
}

/// `None` if no grammar can be meant, which is then reported.
fn grammar(reader: &mut ConfigReader<'_>, top: &ConfigTable<'_>) -> Option<ConfigGrammar> {
    let Some((place, value)) = reader.value(top, "config_version") else {
        return version_missing(reader, top).then_some(ConfigGrammar::GitLab);
    };
    match value.get_ref() {
        DeValue::Integer(given) if given.radix() == 10 && given.as_str() == VERSION => {
            return Some(ConfigGrammar::Own);
        }
        DeValue::Integer(given) => {
            let given = escape_within(&given.to_string(), 40);
            let rest = format!("is {given}, this version of fargate-runner reads {VERSION}");
            let hint = "a file with a higher number needs a newer fargate-runner".to_owned();
            reader.report(&place, &rest, Some(hint));
        }
        other => {
            let rest = format!("is {}, {VERSION} is expected", kind(other));
            reader.report(&place, &rest, Some(format!("`config_version = {VERSION}`")));
        }
    }
    None
}

/// Whether a file without the version may be one of GitLab's driver. One with our own tables is
/// ours, and lacks the version.
fn version_missing(reader: &mut ConfigReader<'_>, top: &ConfigTable<'_>) -> bool {
    let has = |name: &str| top.entries.contains_key(name);
    let theirs = top.entries.keys().any(|key| key.get_ref().eq_ignore_ascii_case("fargate"));
    if theirs || !(has("defaults") || has("profile")) {
        return true;
    }
    let place = KeyLocation { line: None, key: "config_version".to_owned() };
    let rest = format!("is missing, `config_version = {VERSION}` is expected");
    let hint = format!("`config_version = {VERSION}` as the first line");
    reader.report(&place, &rest, Some(hint));
    false
}

fn version_1(
    mut reader: ConfigReader<'_>,
    top: &ConfigTable<'_>,
    path: &Path,
    flags: &FlagOverrides,
) -> Result<LoadedConfig, ConfigError> {
    reader.unknown_keys(top, ConfigSection::Top);
    let owner = reader.text(top, "owner", check::owner);
    let state_dir = reader.text(top, "state_dir", check::absolute_path);
    let log_file = reader.text(top, "log_file", check::absolute_path);
    let log_level = reader.text(top, "log_level", check::word::<LogLevel>);
    let log_format = reader.text(top, "log_format", check::word::<LogFormat>);
    let defaults = match reader.table(top, "defaults") {
        Some(table) => SettingsLayer::read(&mut reader, &table, None),
        None => SettingsLayer::empty(None, KeyLocation { line: None, key: "defaults".to_owned() }),
    };
    let profiles = profiles(&mut reader, top);
    let names = ConfigSection::Top.names().into_iter();
    let places = names.filter_map(|name| Some((name, reader.value(top, name)?.0))).collect();
    let document = ConfigDocument {
        path: path.to_owned(),
        grammar: ConfigGrammar::Own,
        flags: flags.layer(),
        defaults,
        profiles,
        top: places,
    };
    let mut problems = reader.problems;
    // Without the refused values nothing can be said about how values fit each other.
    let mut later = if problems.is_empty() { document.misfits() } else { Vec::new() };
    later.extend(document.missing().into_iter().filter(|missing| {
        let name = last_part(missing);
        !reader.meant.contains(&name) && problems.iter().all(|refused| last_part(refused) != name)
    }));
    problems.append(&mut later);
    if !problems.is_empty() {
        problems.sort_by_key(|problem| problem.line.unwrap_or(usize::MAX));
        return Err(ConfigError { problems });
    }
    let mut warnings = reader.warnings;
    warnings.sort_by_key(|warning| warning.line);
    let mut config = RunnerConfig {
        owner: owner.map(|given| given.value),
        state_dir: state_dir.map_or(DEFAULT_STATE_DIR.into(), |given| given.value.into()),
        log_file: log_file.map(|given| given.value.into()),
        log_level: log_level.map_or(LogLevel::Info, |given| given.value),
        log_format: log_format.map_or(LogFormat::Json, |given| given.value),
        document,
    };
    flags.apply(&mut config);
    Ok(LoadedConfig { config, warnings, notices: Vec::new() })
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
            profiles.push((
                name.to_owned(),
                SettingsLayer::read(reader, &settings, Some(name.to_owned())),
            ));
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
    if ConfigSection::Settings.example(name).is_some() && !value.get_ref().is_table() {
        let rest = "stands right under `[profile]`, a profile has a name";
        reader.report(&place, rest, Some("`[profile.NAME]`".to_owned()));
        return None;
    }
    reader.table(table, name)
}
