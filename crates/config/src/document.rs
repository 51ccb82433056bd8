//! A whole file: which grammar it is written in, its top level, and its layers.
//!
//! `config_version = 1` means our grammar. A file without that key is in the grammar of GitLab's
//! Fargate driver, which is read in `gitlab`; they are told apart here, before any key is looked at.

use std::path::{Path, PathBuf};

use fargate_model::text::escape_within;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::check;
use crate::config::{Config, DEFAULT_STATE_DIR, Grammar, Loaded, LogFormat, LogLevel};
use crate::keys::Section;
use crate::layer::Layer;
use crate::overrides::Overrides;
use crate::problem::{Problem, Problems};
use crate::reader::{Place, Reader, Table, kind};
use crate::{fit, gitlab};

/// The version of the grammar that this crate reads.
const VERSION: &str = "1";

/// What a key that is not known means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// A problem like any other: for a person who checks the file.
    Refuse,
    /// A warning: inside a job's stages, so that a binary which was rolled back to an older version
    /// does not stop all jobs.
    Warn,
}

/// The layers of a file.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    pub(crate) path: PathBuf,
    pub(crate) grammar: Grammar,
    /// What flags say; it lies over every profile.
    pub(crate) flags: Layer,
    pub(crate) defaults: Layer,
    /// In the order of the file.
    pub(crate) profiles: Vec<(String, Layer)>,
    /// Keys of the top level that the file or a flag has, under our names, with their places.
    pub(crate) top: Vec<(&'static str, Place)>,
}

impl Document {
    /// A profile laid over `[defaults]`, or `[defaults]` alone, and the flags over both.
    pub(crate) fn merged(&self, profile: Option<(&str, &Layer)>) -> Layer {
        let layer = match profile {
            None => self.defaults.clone(),
            Some((_, layer)) => layer.clone().over(self.defaults.clone()),
        };
        let (name, place) = (layer.name.clone(), layer.place.clone());
        Layer { name, place, ..self.flags.clone() }.over(layer)
    }

    /// `[defaults]` where it is a profile by itself, and each profile, put together.
    fn profiles_put_together(&self) -> Vec<Layer> {
        if self.profiles.is_empty() {
            return vec![self.merged(None)];
        }
        self.profiles.iter().map(|(name, layer)| self.merged(Some((name, layer)))).collect()
    }

    /// Required keys that are missing.
    fn missing(&self) -> Vec<Problem> {
        let layers = self.profiles_put_together();
        layers.iter().flat_map(|layer| fit::missing(layer, &self.path)).collect()
    }

    /// Values that do not fit each other. What profiles inherit is reported once.
    fn misfits(&self) -> Vec<Problem> {
        let mut found = fit::misfits(&self.merged(None), &self.path);
        for problem in
            self.profiles_put_together().iter().flat_map(|layer| fit::misfits(layer, &self.path))
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
pub fn parse(text: &str, path: &Path, unknown: Unknown) -> Result<Loaded, Problems> {
    parse_with(text, path, unknown, &Overrides::default())
}

/// As [`parse`], with what flags say over what the file says.
///
/// # Errors
///
/// As [`parse`]; values of flags that do not fit the file are among the problems.
pub fn parse_with(
    text: &str,
    path: &Path,
    unknown: Unknown,
    flags: &Overrides,
) -> Result<Loaded, Problems> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader::new(path, text, unknown);
    let document = syntax(&reader, text)?;
    let nowhere = Place { line: None, key: String::new() };
    let top = Table { entries: document.get_ref(), place: nowhere };
    match grammar(&mut reader, &top) {
        Some(Grammar::Own) => version_1(reader, &top, path, flags),
        Some(Grammar::GitLab) => gitlab::read(reader.loose(), &top, path, flags),
        None => Err(Problems { problems: reader.problems }),
    }
}

fn syntax<'t>(reader: &Reader<'_>, text: &'t str) -> Result<Spanned<DeTable<'t>>, Problem> {
    let at = |line| Place { line, key: String::new() };
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
fn grammar(reader: &mut Reader<'_>, top: &Table<'_>) -> Option<Grammar> {
    let Some((place, value)) = reader.value(top, "config_version") else {
        return version_missing(reader, top).then_some(Grammar::GitLab);
    };
    match value.get_ref() {
        DeValue::Integer(given) if given.radix() == 10 && given.as_str() == VERSION => {
            return Some(Grammar::Own);
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
fn version_missing(reader: &mut Reader<'_>, top: &Table<'_>) -> bool {
    let has = |name: &str| top.entries.contains_key(name);
    let theirs = top.entries.keys().any(|key| key.get_ref().eq_ignore_ascii_case("fargate"));
    if theirs || !(has("defaults") || has("profile")) {
        return true;
    }
    let place = Place { line: None, key: "config_version".to_owned() };
    let rest = format!("is missing, `config_version = {VERSION}` is expected");
    let hint = format!("`config_version = {VERSION}` as the first line");
    reader.report(&place, &rest, Some(hint));
    false
}

fn version_1(
    mut reader: Reader<'_>,
    top: &Table<'_>,
    path: &Path,
    flags: &Overrides,
) -> Result<Loaded, Problems> {
    reader.unknown_keys(top, Section::Top);
    let owner = reader.text(top, "owner", check::owner);
    let state_dir = reader.text(top, "state_dir", check::absolute_path);
    let log_file = reader.text(top, "log_file", check::absolute_path);
    let log_level = reader.text(top, "log_level", check::word::<LogLevel>);
    let log_format = reader.text(top, "log_format", check::word::<LogFormat>);
    let defaults = match reader.table(top, "defaults") {
        Some(table) => Layer::read(&mut reader, &table, None),
        None => Layer::empty(None, Place { line: None, key: "defaults".to_owned() }),
    };
    let profiles = profiles(&mut reader, top);
    let names = Section::Top.names().into_iter();
    let places = names.filter_map(|name| Some((name, reader.value(top, name)?.0))).collect();
    let document = Document {
        path: path.to_owned(),
        grammar: Grammar::Own,
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
        return Err(Problems { problems });
    }
    let mut warnings = reader.warnings;
    warnings.sort_by_key(|warning| warning.line);
    let mut config = Config {
        owner: owner.map(|given| given.value),
        state_dir: state_dir.map_or(DEFAULT_STATE_DIR.into(), |given| given.value.into()),
        log_file: log_file.map(|given| given.value.into()),
        log_level: log_level.map_or(LogLevel::Info, |given| given.value),
        log_format: log_format.map_or(LogFormat::Json, |given| given.value),
        document,
    };
    flags.apply(&mut config);
    Ok(Loaded { config, warnings, notices: Vec::new() })
}

/// The key of a problem without its tables.
fn last_part(problem: &Problem) -> &str {
    problem.key.as_deref().and_then(|key| key.rsplit('.').next()).unwrap_or_default()
}

fn profiles(reader: &mut Reader<'_>, top: &Table<'_>) -> Vec<(String, Layer)> {
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
            profiles.push((name.to_owned(), Layer::read(reader, &settings, Some(name.to_owned()))));
        }
    }
    profiles
}

/// The table of a profile; for a setting right under `[profile]` says that a name is missing.
fn profile_table<'t>(reader: &mut Reader<'_>, table: &Table<'t>, name: &str) -> Option<Table<'t>> {
    let (place, value) = reader.value(table, name)?;
    if Section::Settings.example(name).is_some() && !value.get_ref().is_table() {
        let rest = "stands right under `[profile]`, a profile has a name";
        reader.report(&place, rest, Some("`[profile.NAME]`".to_owned()));
        return None;
    }
    reader.table(table, name)
}
