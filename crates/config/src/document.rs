//! The layers of a whole file, and how they are put together.

use std::path::PathBuf;

use crate::channel_reference;
use crate::check::quoted;
use crate::conflicts;
use crate::layer::{SettingsLayer, over};
use crate::problem::ConfigProblem;
use crate::replica_login;
use crate::toml_text::toml_key;
use crate::unknown_key;
use crate::value::{KeyLocation, LocatedValue, SettingValue, SettingsTable};
use crate::volume_sections::{self, VolumeSection};

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
    /// In the order of the file.
    pub(crate) volumes: Vec<VolumeSection>,
    /// The tables `[image.NAME]`, in the order of the file.
    pub(crate) managed_images: Vec<(String, SettingsTable)>,
    /// The patterns of `[images]`, each with the name of a profile.
    pub(crate) images: SettingsTable,
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
        found.extend(self.images_without_profile());
        found.extend(replica_login::conflicts(&self.managed_images, &self.path));
        for layer in self.profiles_put_together() {
            // Not asked of `[defaults]` alone: what is needed may stand in each profile.
            let needed = conflicts::needed_missing(&layer, &self.path);
            let volumes = volume_sections::conflicts(&layer, &self.volumes, &self.path);
            let whole = conflicts::conflicts(&layer, &self.path);
            let channel = channel_reference::conflicts(&layer, &self.managed_images, &self.path);
            for problem in whole.into_iter().chain(needed).chain(volumes).chain(channel) {
                if !found.contains(&problem) {
                    found.push(problem);
                }
            }
        }
        found
    }

    /// Patterns of `[images]` that lead to a profile which is not in the file.
    fn images_without_profile(&self) -> Vec<ConfigProblem> {
        let unknown = |(pattern, given): (&str, &LocatedValue<SettingValue>)| {
            let SettingValue::Text(name) = &given.value else { return None };
            if self.profile(name).is_some() {
                return None;
            }
            let names = self.profiles.iter().map(|(name, _)| name.as_str());
            let hint = match unknown_key::nearest(name, names) {
                Some(near) => format!("nearest is `{} = \"{near}\"`", toml_key(pattern)),
                None => format!("add `[profile.{name}]`"),
            };
            let rest = format!("is {}, a profile that is not in the file", quoted(name));
            Some(ConfigProblem::of_key(&self.path, &given.place, &rest, Some(hint)))
        };
        self.images.iter().filter_map(unknown).collect()
    }
}
