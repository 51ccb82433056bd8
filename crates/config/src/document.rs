//! The layers of a whole file, and how they are put together.

use std::path::PathBuf;

use crate::conflicts;
use crate::layer::{SettingsLayer, over};
use crate::problem::ConfigProblem;
use crate::value::{KeyLocation, SettingsTable};

/// The grammar that a file is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigGrammar {
    /// Our own: the file has `config_version`.
    Own,
    /// That of GitLab's Fargate driver, with what of ours may stand in it.
    GitLab,
}

/// The layers of a file.
#[derive(Clone, Debug)]
pub(crate) struct ConfigDocument {
    pub(crate) path: PathBuf,
    pub(crate) grammar: ConfigGrammar,
    /// Where the file says its version.
    pub(crate) version: Option<KeyLocation>,
    /// What the top of the file says, and the flags over it.
    pub(crate) top: SettingsTable,
    /// What flags say of a profile; it lies over every profile.
    pub(crate) flags: SettingsTable,
    pub(crate) defaults: SettingsLayer,
    /// In the order of the file.
    pub(crate) profiles: Vec<(String, SettingsLayer)>,
}

impl ConfigDocument {
    /// A profile laid over `[defaults]`, or `[defaults]` alone, and the flags over both.
    pub(crate) fn merged(&self, profile: Option<&SettingsLayer>) -> SettingsLayer {
        let layer = match profile {
            None => self.defaults.clone(),
            Some(layer) => layer.clone().over(self.defaults.clone()),
        };
        SettingsLayer { values: over(self.flags.clone(), layer.values), ..layer }
    }

    pub(crate) fn profile(&self, name: &str) -> Option<&SettingsLayer> {
        self.profiles.iter().find(|(known, _)| known == name).map(|(_, layer)| layer)
    }

    /// `[defaults]` where it is a profile by itself, and each profile, put together.
    pub(crate) fn profiles_put_together(&self) -> Vec<SettingsLayer> {
        if self.profiles.is_empty() {
            return vec![self.merged(None)];
        }
        self.profiles.iter().map(|(_, layer)| self.merged(Some(layer))).collect()
    }

    /// Required keys that are missing.
    pub(crate) fn missing(&self) -> Vec<ConfigProblem> {
        let layers = self.profiles_put_together();
        layers.iter().flat_map(|layer| conflicts::missing(layer, &self.path)).collect()
    }

    /// Values that do not fit each other. What profiles inherit is reported once.
    pub(crate) fn conflicts(&self) -> Vec<ConfigProblem> {
        let mut found = conflicts::conflicts(&self.merged(None), &self.path);
        for layer in self.profiles_put_together() {
            // Not asked of `[defaults]` alone: what is needed may stand in each profile.
            let needed = conflicts::needed_missing(&layer, &self.path);
            for problem in conflicts::conflicts(&layer, &self.path).into_iter().chain(needed) {
                if !found.contains(&problem) {
                    found.push(problem);
                }
            }
        }
        found
    }
}
