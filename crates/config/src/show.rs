//! The effective settings, written as a file in our own grammar that [`crate::parse()`] takes again.
//!
//! Every line says where its value comes from. There are no secrets in a configuration, so nothing
//! is hidden.

use std::fmt::Write as _;

use fargate_model::text::escape;

use crate::check::quoted;
use crate::config::RunnerConfig;
use crate::document::ConfigGrammar;
use crate::settings::{JobProfile, ManagedImage, StorageVolume};
use crate::table::{SettingDefault, SettingKey, SettingKind, SettingSection, plain};
use crate::toml_text::toml_key;
use crate::value::{KeyLocation, SettingValue, SettingsTable};

impl RunnerConfig {
    /// The effective settings as TOML in our grammar, each with where it comes from: those of one
    /// profile, or for `None` of `[defaults]` and every profile.
    ///
    /// A profile that the file lacks is shown as a comment that says so; ask
    /// [`RunnerConfig::profile`] first.
    #[must_use]
    pub fn show(&self, profile: Option<&str>) -> String {
        let document = &self.document;
        let mut out = SettingsText(String::new());
        let path = escape(&document.path.display().to_string());
        let kind = match document.grammar {
            ConfigGrammar::Own => "",
            ConfigGrammar::GitLab => ", a file of GitLab's Fargate driver",
        };
        out.comment(&format!("effective settings of {path}{kind}"));
        out.line("config_version", "1", document.version.as_ref());
        out.keys(RunnerConfig::SECTION, &document.top, "");
        if document.images.len() > 0 {
            out.header("images");
            out.free_lines(&document.images);
        }
        for volume in &document.volumes {
            let header = format!("volume.{}", volume.name);
            out.header(&header);
            out.keys(StorageVolume::SECTION, &volume.values, &header);
        }
        for (name, values) in &document.managed_images {
            let header = format!("image.{name}");
            out.header(&header);
            out.keys(ManagedImage::SECTION, values, &header);
        }
        let mut section = |values: &SettingsTable, header: &str| {
            out.header(header);
            out.keys(JobProfile::SECTION, values, header);
        };
        let Some(name) = profile else {
            section(&document.merged(None).values, "defaults");
            for (name, layer) in &document.profiles {
                section(&document.merged(Some(layer)).values, &format!("profile.{name}"));
            }
            return out.0;
        };
        match document.profile(name) {
            Some(layer) => {
                section(&document.merged(Some(layer)).values, &format!("profile.{name}"));
            }
            None => out.comment(&format!("profile {} is not in this file", quoted(name))),
        }
        out.0
    }
}

/// What has been written so far.
struct SettingsText(String);

impl SettingsText {
    fn put(&mut self, line: std::fmt::Arguments<'_>) {
        writeln!(self.0, "{line}").expect("a String takes all that is written");
    }

    fn comment(&mut self, text: &str) {
        self.put(format_args!("# {text}"));
    }

    fn header(&mut self, name: &str) {
        self.put(format_args!("\n[{name}]"));
    }

    fn line(&mut self, key: &str, value: &str, place: Option<&KeyLocation>) {
        match place.map(KeyLocation::origin) {
            Some(origin) => self.put(format_args!("{key} = {value} # {origin}")),
            None => self.put(format_args!("{key} = {value} # default")),
        }
    }

    /// Every key of a section, and the tables below it. `header` is that of the section.
    fn keys(&mut self, section: &SettingSection, values: &SettingsTable, header: &str) {
        let nothing = SettingsTable::default();
        for key in section.keys {
            let below = values.table(key.name).unwrap_or(&nothing);
            match key.kind {
                SettingKind::Table(section) => {
                    let header = match header {
                        "" => key.name.to_owned(),
                        header => format!("{header}.{}", key.name),
                    };
                    self.header(&header);
                    self.keys(section, below, &header);
                }
                SettingKind::FreeTable(..) => {
                    self.header(&format!("{header}.{}", key.name));
                    self.free_lines(below);
                }
                _ if is_replaced(section, key, values) => {}
                _ => self.key(key, values),
            }
        }
    }

    /// The lines of a table whose names are the operator's own.
    fn free_lines(&mut self, values: &SettingsTable) {
        for (name, given) in values.iter() {
            self.line(&toml_key(name), &plain(&given.value), Some(&given.place));
        }
    }

    fn key(&mut self, key: &SettingKey, values: &SettingsTable) {
        let name = key.name;
        let Some(given) = values.value(name) else {
            return match (key.default_value(), key.default) {
                (Some(value), _) => self.line(name, &key.written(&value), None),
                (None, SettingDefault::Absent(what)) => {
                    self.comment(&format!("{name} is not set: {what}"));
                }
                (None, _) => self.comment(&format!("{name} is not set")),
            };
        };
        match &given.value {
            // Our grammar takes neither a relative path nor one that is not UTF-8.
            SettingValue::Path(path) if path.is_relative() || path.to_str().is_none() => {
                let path = quoted(path.to_str().unwrap_or("?"));
                self.comment(&format!("{name} is {path}, from the working directory"));
            }
            value => self.line(name, &key.written(value), Some(&given.place)),
        }
    }
}

/// Whether another key says what this one would say, or this one belongs to a choice that was not
/// made.
fn is_replaced(section: &SettingSection, key: &'static SettingKey, values: &SettingsTable) -> bool {
    let not_chosen = section.choice_of(key).is_some_and(|choice| !values.has(choice.name));
    not_chosen || section.alternative(key.name).is_some_and(|other| values.has(other.name))
}
