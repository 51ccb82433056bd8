//! The top of the file, what a whole file says, and the profiles one can ask it for.

use std::path::PathBuf;

use crate::document::{ConfigDocument, ConfigGrammar};
use crate::keyword::{LogFormat, LogLevel};
use crate::patterns::image_matches;
use crate::problem::{ConfigError, ConfigProblem};
use crate::row::{keyword, path, table, text};
use crate::settings::{
    HistorySettings, JobProfile, ManagedImage, NotifySettings, PriceSettings, ServeSettings,
    StorageVolume,
};
use crate::table::settings_table;
use crate::value::SettingValue;
use crate::volume_sections::VolumeSection;
use crate::{check, conflicts, unknown_key};

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

settings_table! {
    /// A whole configuration file, checked. The fields are the keys at its top, which no profile has.
    #[derive(Clone, Debug)]
    pub struct RunnerConfig {
        beside {
            /// Everything else in the file.
            pub(crate) document: ConfigDocument,
        }
        /// Who starts tasks, as ECS shows it in `startedBy`: one name per manager host, 1 to 128 ASCII
        /// letters, digits, `-`, `_` and `/`.
        pub owner: Option<String> = text(check::owner)
            .or_absent("an id made once and kept in the state folder")
            .example("\"ci-host-1\""),
        /// Folder on this host for the state of jobs. An absolute path; the user of gitlab-runner
        /// writes it.
        pub state_dir: PathBuf =
            path(check::absolute_path).or_text("/var/lib/fargate-runner"),
        /// The operator's log. An absolute path.
        // Only in a file of GitLab's driver, or from a flag, it may be relative. It is then meant from
        // the working directory.
        pub log_file: Option<PathBuf> = path(check::absolute_path)
            .or_absent("journald")
            .example("\"/var/log/fargate-runner.jsonl\""),
        /// How much goes into the operator's log: `"error"`, `"warn"`, `"info"`, `"debug"` or `"trace"`.
        pub log_level: LogLevel = keyword::<LogLevel>().or_text("info"),
        /// How a line of that log is written: `"json"`, or for people `"text"` (with colours) or
        /// `"text-simple"`.
        pub log_format: LogFormat = keyword::<LogFormat>().or_text("json"),
        /// The page and the API of `fargate-runner serve`, and who may use them.
        pub serve: ServeSettings = table(ServeSettings::SECTION),
        /// Where `fargate-runner serve` keeps what happened to jobs, and for how long.
        pub history: HistorySettings = table(HistorySettings::SECTION),
        /// Whom `fargate-runner serve` tells what somebody must act on: a webhook, an SNS topic, or both.
        pub notify: NotifySettings = table(NotifySettings::SECTION),
        /// What AWS asks for a task, in US dollars, for estimates of what jobs cost.
        pub prices: PriceSettings = table(PriceSettings::SECTION),
    }
}

impl RunnerConfig {
    /// What the layers of a file make; they have been checked.
    pub(crate) fn of(document: ConfigDocument) -> Self {
        let values = document.top.clone();
        Self::from_values(&values, document).expect("no key at the top of the file is required")
    }

    /// The grammar that the file is written in.
    #[must_use]
    pub fn grammar(&self) -> ConfigGrammar {
        self.document.grammar
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
        let layer = self.document.profile(name).ok_or_else(|| self.no_such_profile(name))?;
        let document = &self.document;
        let ConfigDocument { volumes, managed_images, path, .. } = document;
        conflicts::profile(document.merged(Some(layer)), volumes, managed_images, path)
    }

    fn defaults_alone(&self) -> Result<JobProfile, ConfigError> {
        let document = &self.document;
        let defaults = document.merged(None);
        let ConfigDocument { volumes, managed_images, path, .. } = document;
        let whole = conflicts::profile(defaults.clone(), volumes, managed_images, path);
        whole.map_err(|problems| {
            let names = self.profile_names();
            let missing: Vec<&str> = conflicts::missing_names(&defaults);
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

    /// The volumes, in the order of the file.
    pub fn volumes(&self) -> impl Iterator<Item = StorageVolume> {
        self.document.volumes.iter().filter_map(VolumeSection::volume)
    }

    /// The images that this program builds, in the order of the file.
    pub fn managed_images(&self) -> impl Iterator<Item = ManagedImage> {
        let images = &self.document.managed_images;
        images.iter().filter_map(|(name, values)| ManagedImage::from_values(values, name.clone()))
    }

    /// The names of the profiles that `[images]` gives to an image, that of the longest pattern first.
    #[must_use]
    pub fn profiles_of_image(&self, image: &str) -> Vec<&str> {
        let patterns = self.document.images.iter();
        let mut fitting: Vec<_> =
            patterns.filter(|(pattern, _)| image_matches(pattern, image)).collect();
        fitting.sort_by_key(|(pattern, _)| std::cmp::Reverse(pattern.len()));
        let names = fitting.into_iter().map(|(_, given)| match &given.value {
            SettingValue::Text(name) => Some(name.as_str()),
            _ => None,
        });
        names.flatten().collect()
    }

    fn no_such_profile(&self, name: &str) -> ConfigError {
        let names = self.profile_names();
        let nearest = unknown_key::nearest(name, names.iter().copied());
        let given = check::quoted(name);
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
