//! What flags of the command line say instead of the file. They are checked like keys of a file, and
//! they lie over every profile.

use std::path::PathBuf;

use crate::check::{self, ValueRefusal};
use crate::keyword;
use crate::table::TextCheck;
use crate::value::{KeyLocation, LocatedValue, SettingValue, SettingsTable};

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
    /// Over the top of the file.
    top: SettingsTable,
    /// Over every profile.
    settings: SettingsTable,
}

impl FlagOverrides {
    /// `--log-level`: a word of ours or of GitLab's driver, in any case.
    ///
    /// # Errors
    ///
    /// If the word is another.
    pub fn log_level(mut self, given: Option<&str>) -> Result<Self, FlagError> {
        set(&mut self.top, "log_level", "--log-level", given, keyword::logrus_level)?;
        Ok(self)
    }

    /// `--log-file`; a relative path is meant from the working directory.
    #[must_use]
    pub fn log_file(mut self, given: Option<PathBuf>) -> Self {
        if let Some(path) = given.filter(|path| !path.as_os_str().is_empty()) {
            let place = KeyLocation::without_line("--log-file");
            self.top.set("log_file", LocatedValue { value: SettingValue::Path(path), place });
        }
        self
    }

    /// `--log-format`.
    ///
    /// # Errors
    ///
    /// If it is no format.
    pub fn log_format(mut self, given: Option<&str>) -> Result<Self, FlagError> {
        let check = keyword::log_format_in_any_case;
        set(&mut self.top, "log_format", "--log-format", given, check)?;
        Ok(self)
    }

    /// `--task-def`.
    ///
    /// # Errors
    ///
    /// If it cannot be a task definition.
    pub fn task_definition(mut self, given: Option<&str>) -> Result<Self, FlagError> {
        let check = check::task_definition;
        set(&mut self.settings, "task_definition", "--task-def", given, check)?;
        Ok(self)
    }

    /// `--platform-version`.
    ///
    /// # Errors
    ///
    /// If it is no platform version.
    pub fn platform_version(mut self, given: Option<&str>) -> Result<Self, FlagError> {
        let check = check::platform_version;
        set(&mut self.settings, "platform_version", "--platform-version", given, check)?;
        Ok(self)
    }

    pub(crate) fn top(&self) -> &SettingsTable {
        &self.top
    }

    pub(crate) fn settings(&self) -> &SettingsTable {
        &self.settings
    }
}

/// Sets a key to what a flag says, if it says something.
fn set(
    values: &mut SettingsTable,
    name: &str,
    flag: &'static str,
    given: Option<&str>,
    check: TextCheck,
) -> Result<(), FlagError> {
    let Some(given) = given.filter(|given| !given.is_empty()) else { return Ok(()) };
    let refused = |refusal: ValueRefusal| FlagError {
        flag,
        given: refusal.shown(given),
        allowed: refusal.allowed,
    };
    let value = SettingValue::Text(check(given).map_err(refused)?);
    values.set(name, LocatedValue { value, place: KeyLocation::without_line(flag) });
    Ok(())
}
