//! Files for the tests: a small complete one, and that one with single keys changed.

#[allow(dead_code, reason = "each test binary uses a part of it")]
pub mod theirs;

use std::collections::BTreeMap;
use std::path::Path;

use fargate_config::{ConfigError, LoadedConfig, UnknownKeyPolicy, parse};

/// A configuration as tables of lines; the top level is the table with the empty name.
#[derive(Clone, Debug)]
pub struct ConfigDraft(BTreeMap<String, BTreeMap<String, String>>);

#[allow(dead_code, reason = "each test binary uses a part of it")]
impl ConfigDraft {
    pub fn empty() -> Self {
        Self(BTreeMap::new())
    }

    /// The least that is complete in our own grammar.
    pub fn least() -> Self {
        Self::empty()
            .set("", "config_version", "1")
            .set("defaults", "cluster", "\"ci\"")
            .set("defaults", "subnets", "[\"subnet-0a1\"]")
            .set("defaults", "security_groups", "[\"sg-0a1\"]")
            .set("defaults", "task_definition", "\"ci:7\"")
    }

    #[must_use]
    pub fn set(mut self, table: &str, key: &str, value: &str) -> Self {
        self.0.entry(table.to_owned()).or_default().insert(key.to_owned(), value.to_owned());
        self
    }

    #[must_use]
    pub fn without(mut self, table: &str, key: &str) -> Self {
        self.0.entry(table.to_owned()).or_default().remove(key);
        self
    }

    pub fn text(&self) -> String {
        let mut text = String::new();
        for (table, lines) in &self.0 {
            if !table.is_empty() {
                text.push_str(&format!("[{table}]\n"));
            }
            for (key, value) in lines {
                text.push_str(&format!("{key} = {value}\n"));
            }
        }
        text
    }

    /// The line, from 1, of a key whose name stands once in the file.
    pub fn line_of(&self, key: &str) -> usize {
        let start = format!("{key} = ");
        let at = self.text().lines().position(|line| line.starts_with(&start));
        1 + at.expect("the draft has the key")
    }

    pub fn read(&self) -> Result<LoadedConfig, ConfigError> {
        read(&self.text())
    }
}

/// Parses as `config check` does.
pub fn read(text: &str) -> Result<LoadedConfig, ConfigError> {
    parse(text, Path::new("config.toml"), UnknownKeyPolicy::Refuse)
}
