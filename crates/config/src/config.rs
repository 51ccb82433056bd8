//! What a whole file says, and the profiles one can ask it for.

use std::path::PathBuf;

use crate::check_profile;
use crate::document::ConfigDocument;
use crate::problem::{ConfigError, ConfigProblem};
use crate::profile::{JobProfile, words};
use crate::{import, keys, show};

/// Where the state of jobs is kept unless the file says otherwise.
pub(crate) const DEFAULT_STATE_DIR: &str = "/var/lib/fargate-runner";

words! {
    /// How much goes into the operator's log.
    LogLevel {
        /// What ended a stage.
        Error = "error",
        /// Also what was worked round.
        Warn = "warn",
        /// Also each step.
        Info = "info",
        /// Also each AWS call.
        Debug = "debug",
        /// Also each frame of the session protocol, without its contents.
        Trace = "trace",
    }
}

words! {
    /// How a line of the operator's log is written.
    LogFormat {
        /// One JSON object.
        Json = "json",
        /// For people, with colours.
        Text = "text",
        /// For people, without colours.
        TextSimple = "text-simple",
    }
}

/// The grammar that a file is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigGrammar {
    /// Our own: the file has `config_version`.
    Own,
    /// That of GitLab's Fargate driver, with what of ours may stand in it.
    GitLab,
}

/// A configuration together with what was noticed while it was read.
#[derive(Clone, Debug)]
pub struct LoadedConfig {
    /// The configuration.
    pub config: RunnerConfig,
    /// Unknown keys, where [`crate::UnknownKeyPolicy::Warn`] allowed them or the grammar is GitLab's.
    pub warnings: Vec<ConfigProblem>,
    /// What the operator should know of a file that is in order, and nobody who reads a job's log.
    pub notices: Vec<ConfigProblem>,
}

/// A whole configuration file, checked.
#[derive(Clone, Debug)]
pub struct RunnerConfig {
    /// The manager host's name in `startedBy`; `None` for the id kept in the state folder.
    pub owner: Option<String>,
    /// Folder for the state of jobs.
    pub state_dir: PathBuf,
    /// The operator's log; `None` for journald. Only in a file of GitLab's driver it may be
    /// relative, and is then meant from the working directory.
    pub log_file: Option<PathBuf>,
    /// How much goes into the operator's log.
    pub log_level: LogLevel,
    /// How its lines are written.
    pub log_format: LogFormat,
    pub(crate) document: ConfigDocument,
}

impl RunnerConfig {
    /// The grammar that the file is written in.
    #[must_use]
    pub fn grammar(&self) -> ConfigGrammar {
        self.document.grammar
    }

    /// The same settings as a file in our own grammar, with comments on what can be better.
    ///
    /// What flags said is part of it. A relative `LogFile` cannot be said in our grammar and
    /// becomes a comment.
    #[must_use]
    pub fn import(&self) -> String {
        import::config(self)
    }

    /// The settings of `[profile.NAME]` on top of `[defaults]`, or of `[defaults]` alone.
    ///
    /// # Errors
    ///
    /// If the file has no such profile, or if `None` is asked for and `[defaults]` lacks a
    /// required key because only the profiles have it.
    pub fn profile(&self, name: Option<&str>) -> Result<JobProfile, ConfigError> {
        let Some(name) = name else {
            return self.defaults_alone();
        };
        let layer = self.document.profiles.iter().find(|(known, _)| known == name);
        let (known, layer) = layer.ok_or_else(|| self.no_such_profile(name))?;
        check_profile::profile(
            self.document.merged(Some((known.as_str(), layer))),
            &self.document.path,
        )
    }

    fn defaults_alone(&self) -> Result<JobProfile, ConfigError> {
        let document = &self.document;
        let defaults = document.merged(None);
        check_profile::profile(defaults.clone(), &document.path).map_err(|problems| {
            let names = self.profile_names();
            let missing: Vec<&str> = check_profile::missing_names(&defaults);
            let message = format!(
                "`[defaults]` alone lacks `{}`; the file has {}",
                missing.join("`, `"),
                listed(&names)
            );
            let Some(name) = names.first() else { return problems };
            let path = document.path.clone();
            let line = document.defaults.place.line;
            let hint = Some(format!("choose one: `--profile {name}`"));
            ConfigProblem { path, line, key: Some("defaults".to_owned()), message, hint }.into()
        })
    }

    /// The names of the profiles, in the order of the file.
    #[must_use]
    pub fn profile_names(&self) -> Vec<&str> {
        self.document.profiles.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// The effective settings as TOML in our grammar, each with where it comes from: those of one
    /// profile, or for `None` of `[defaults]` and every profile.
    ///
    /// A profile that the file lacks is shown as a comment that says so; ask
    /// [`RunnerConfig::profile`] first.
    #[must_use]
    pub fn show(&self, profile: Option<&str>) -> String {
        show::config(self, profile)
    }

    fn no_such_profile(&self, name: &str) -> ConfigError {
        let names = self.profile_names();
        let nearest = keys::nearest(name, names.iter().copied());
        let given = crate::check::quoted(name);
        let path = self.document.path.clone();
        if self.grammar() == ConfigGrammar::GitLab {
            let message =
                format!("profile {given} is not here: a file of GitLab's Fargate driver has none");
            let hint = "leave out `--profile`, or see `fargate-runner config import`".to_owned();
            return ConfigProblem { path, line: None, key: None, message, hint: Some(hint) }.into();
        }
        let (message, hint) = match nearest {
            Some(name) => (
                format!("profile {given} is not here, nearest is `{name}`"),
                format!("`--profile {name}`"),
            ),
            None => (
                format!("profile {given} is not here; the file has {}", listed(&names)),
                "leave out `--profile` for `[defaults]`, or add `[profile.NAME]`".to_owned(),
            ),
        };
        ConfigProblem { path, line: None, key: None, message, hint: Some(hint) }.into()
    }
}

/// The names of profiles, cut where there are many.
fn listed(names: &[&str]) -> String {
    const SHOWN: usize = 20;
    let shown = names.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    match names.len() {
        0 => "no profiles".to_owned(),
        1..=SHOWN => format!("profiles: {shown}"),
        n => format!("profiles: {shown} and {} more", n - SHOWN),
    }
}
