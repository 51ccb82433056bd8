//! What flags of the command line say instead of the file. They are checked like keys of a file, and
//! they lie over every profile.

use std::path::PathBuf;

use crate::check::{self, CheckResult, quoted};
use crate::config::{LogFormat, LogLevel, RunnerConfig};
use crate::gitlab;
use crate::layer::SettingsLayer;
use crate::reader::{KeyLocation, LocatedValue};

/// A flag with a value that it cannot have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("flag `{flag}` is {given}, {allowed}")]
pub struct FlagError {
    flag: &'static str,
    given: String,
    allowed: String,
}

/// The values of flags, checked. A flag with an empty value counts as one that is not there, as it
/// does for GitLab's driver.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlagOverrides {
    log_level: Option<LogLevel>,
    log_file: Option<PathBuf>,
    log_format: Option<LogFormat>,
    task_definition: Option<String>,
    platform_version: Option<String>,
}

impl FlagOverrides {
    /// `--log-level`: a word of ours or of GitLab's driver, in any case.
    ///
    /// # Errors
    ///
    /// If the word is another.
    pub fn log_level(mut self, given: Option<&str>) -> Result<Self, FlagError> {
        self.log_level = checked("--log-level", given, gitlab::log_level)?;
        Ok(self)
    }

    /// `--log-file`; a relative path is meant from the working directory.
    #[must_use]
    pub fn log_file(mut self, given: Option<PathBuf>) -> Self {
        self.log_file = given.filter(|path| !path.as_os_str().is_empty());
        self
    }

    /// `--log-format`.
    ///
    /// # Errors
    ///
    /// If it is no format.
    pub fn log_format(mut self, given: Option<&str>) -> Result<Self, FlagError> {
        self.log_format = checked("--log-format", given, gitlab::log_format)?;
        Ok(self)
    }

    /// `--task-def`.
    ///
    /// # Errors
    ///
    /// If it cannot be a task definition.
    pub fn task_definition(mut self, given: Option<&str>) -> Result<Self, FlagError> {
        self.task_definition = checked("--task-def", given, check::task_definition)?;
        Ok(self)
    }

    /// `--platform-version`.
    ///
    /// # Errors
    ///
    /// If it is no platform version.
    pub fn platform_version(mut self, given: Option<&str>) -> Result<Self, FlagError> {
        self.platform_version = checked("--platform-version", given, check::platform_version)?;
        Ok(self)
    }

    /// The settings of a profile among them.
    pub(crate) fn layer(&self) -> SettingsLayer {
        let placed = |value: &Option<String>, flag| {
            value.clone().map(|value| LocatedValue { value, place: KeyLocation::of_flag(flag) })
        };
        SettingsLayer {
            task_definition: placed(&self.task_definition, "--task-def"),
            platform_version: placed(&self.platform_version, "--platform-version"),
            ..SettingsLayer::empty(None, KeyLocation::of_flag("the flags"))
        }
    }

    /// Puts those of the top level into a configuration.
    pub(crate) fn apply(&self, config: &mut RunnerConfig) {
        let mut said = |name: &'static str, flag| {
            let top = &mut config.document.top;
            top.retain(|(known, _)| *known != name);
            top.push((name, KeyLocation::of_flag(flag)));
        };
        if let Some(level) = self.log_level {
            said("log_level", "--log-level");
            config.log_level = level;
        }
        if let Some(format) = self.log_format {
            said("log_format", "--log-format");
            config.log_format = format;
        }
        if let Some(file) = &self.log_file {
            said("log_file", "--log-file");
            config.log_file = Some(file.clone());
        }
    }
}

fn checked<T>(
    flag: &'static str,
    given: Option<&str>,
    check: impl Fn(&str) -> CheckResult<T>,
) -> Result<Option<T>, FlagError> {
    let Some(given) = given.filter(|given| !given.is_empty()) else { return Ok(None) };
    let refused = |refusal: check::ValueRefusal| FlagError {
        flag,
        given: quoted(given),
        allowed: refusal.allowed,
    };
    check(given).map(Some).map_err(refused)
}
