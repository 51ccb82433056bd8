//! From the text of a file to its checked configuration: which grammar it is written in.
//!
//! `config_version = 1` means our grammar, read in `own_grammar`. A file without that key is in the
//! grammar of GitLab's Fargate driver, read in `gitlab`. They are told apart here, before any other
//! key is looked at.

use std::path::Path;

use fargate_model::text::escape_within;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::config::LoadedConfig;
use crate::document::ConfigGrammar;
use crate::overrides::FlagOverrides;
use crate::problem::{ConfigError, ConfigProblem};
use crate::reader::{ConfigReader, ConfigTable, kind};
use crate::unknown_key::UnknownKeyPolicy;
use crate::value::KeyLocation;
use crate::{gitlab, own_grammar};

/// The version of the grammar that this crate reads.
const VERSION: &str = "1";

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
    let top = ConfigTable { entries: document.get_ref(), place: KeyLocation::without_line("") };
    match grammar(&mut reader, &top) {
        Some(ConfigGrammar::Own) => own_grammar::read(reader, &top, path, flags),
        Some(ConfigGrammar::GitLab) => gitlab::read(reader, &top, path, flags),
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
    let place = KeyLocation::without_line("config_version");
    let rest = format!("is missing, `config_version = {VERSION}` is expected");
    let hint = format!("`config_version = {VERSION}` as the first line");
    reader.report(&place, &rest, Some(hint));
    false
}
