//! What jobs of a configuration need from one account: the profiles, and what a caller adds.
//!
//! It asks nobody. Checks merge equal needs of several profiles by [`JobNeeds::merged_by`], so that a line
//! names profiles only where they differ.

use std::collections::BTreeSet;
use std::net::IpAddr;

use fargate_config::{AccountSettings, ConfigError, JobProfile, ManagedImage, RunnerConfig};

/// Where the manager is, as far as whoever runs the check says it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GivenManager {
    /// Its security groups.
    pub groups: Vec<String>,
    /// Its address, as tasks see it.
    pub address: Option<IpAddr>,
}

/// What jobs need from one account in one Region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobNeeds {
    /// The profiles, all of them with the same Region and credentials. There is at least one.
    pub profiles: Vec<JobProfile>,
    /// How many jobs run at one time, if the configuration or the caller says it.
    pub concurrency: Option<u32>,
    /// Where GitLab is, if the caller says it.
    pub gitlab_url: Option<String>,
    /// Whether registries are asked for the images.
    pub pull: bool,
    /// Where the manager is.
    pub manager: GivenManager,
    /// The images that `[image.NAME]` names: a profile may name one by its channel.
    pub managed_images: Vec<ManagedImage>,
    /// The roles of tasks that any profile of the file names, also one that is not checked.
    pub configured_roles: BTreeSet<String>,
}

/// Profiles that need the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileGroup<K> {
    /// The names of the profiles; `None` stands for `[defaults]`.
    pub names: Vec<Option<String>>,
    /// Whether these are all profiles.
    pub is_all: bool,
    /// What they need.
    pub need: K,
}

impl JobNeeds {
    /// The needs of one profile, or without a name of all profiles of the file: one entry for each Region
    /// and set of credentials.
    ///
    /// # Errors
    ///
    /// If there is no such profile, or if a profile lacks a required key.
    pub fn of(config: &RunnerConfig, profile: Option<&str>) -> Result<Vec<Self>, ConfigError> {
        let names = config.profile_names();
        let profiles = match (profile, names.as_slice()) {
            (Some(name), _) => vec![config.profile(Some(name))?],
            (None, []) => vec![config.profile(None)?],
            (None, names) => {
                names.iter().map(|name| config.profile(Some(name))).collect::<Result<_, _>>()?
            }
        };
        let mut found: Vec<Self> = Vec::new();
        for profile in profiles {
            let account = |of: &JobProfile| -> (Option<String>, AccountSettings) {
                (of.region.clone(), of.account())
            };
            let same = found.iter_mut().find(|needs| {
                needs.profiles.first().is_some_and(|first| account(first) == account(&profile))
            });
            match same {
                Some(needs) => needs.profiles.push(profile),
                None => found.push(Self {
                    profiles: vec![profile],
                    concurrency: config.serve.job_slots,
                    gitlab_url: None,
                    pull: false,
                    manager: GivenManager::default(),
                    managed_images: config.managed_images().collect(),
                    configured_roles: configured_roles(config),
                }),
            }
        }
        Ok(found)
    }

    /// Groups the profiles by what they need of one thing, in the order of the file.
    pub fn merged_by<K: PartialEq>(&self, need: impl Fn(&JobProfile) -> K) -> Vec<ProfileGroup<K>> {
        let mut groups: Vec<ProfileGroup<K>> = Vec::new();
        for profile in &self.profiles {
            let need = need(profile);
            match groups.iter_mut().find(|group| group.need == need) {
                Some(group) => group.names.push(profile.name.clone()),
                None => groups.push(ProfileGroup {
                    names: vec![profile.name.clone()],
                    is_all: false,
                    need,
                }),
            }
        }
        let is_all = groups.len() == 1;
        groups.iter_mut().for_each(|group| group.is_all = is_all);
        groups
    }
}

/// The roles of tasks that `[defaults]` and all profiles name. A profile that is not whole names none.
fn configured_roles(config: &RunnerConfig) -> BTreeSet<String> {
    let names = config.profile_names().into_iter().map(Some).chain([None]);
    let profiles = names.filter_map(|name| config.profile(name).ok());
    profiles
        .flat_map(|profile| profile.execution_role.into_iter().chain(profile.task_role))
        .collect()
}

impl<K> ProfileGroup<K> {
    /// Words that name the profiles, to stand at the end of a line: nothing if these are all.
    #[must_use]
    pub fn suffix(&self) -> String {
        if self.is_all {
            return String::new();
        }
        let names: Vec<&str> =
            self.names.iter().map(|name| name.as_deref().unwrap_or("[defaults]")).collect();
        match names.as_slice() {
            [only] => format!(" (profile {only})"),
            all => format!(" (profiles {})", all.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fargate_config::UnknownKeyPolicy;

    fn needs(text: &str) -> Vec<JobNeeds> {
        let head = "config_version = 1\n[defaults]\ncluster = \"ci\"\nsecurity_groups = [\"sg-0a1\"]\n\
                    task_definition = \"ci\"\nsubnets = [\"subnet-0a1\"]\n";
        let path = std::path::Path::new("config.toml");
        let loaded = fargate_config::parse(&(head.to_owned() + text), path, UnknownKeyPolicy::Warn);
        JobNeeds::of(&loaded.expect("the file is right").config, None).unwrap()
    }

    #[test]
    fn equal_needs_of_profiles_are_one() {
        let found = needs("[profile.a]\n[profile.b]\n[profile.c]\nsubnets = [\"subnet-0b2\"]\n");
        let [found] = found.as_slice() else { panic!("{found:?}") };
        let groups = found.merged_by(|profile| profile.subnets.clone());
        let suffixes: Vec<String> = groups.iter().map(ProfileGroup::suffix).collect();
        assert_eq!(suffixes, [" (profiles a, b)", " (profile c)"]);
        assert_eq!(found.merged_by(|profile| profile.cluster.clone())[0].suffix(), "");
    }

    #[test]
    fn the_roles_of_profiles_that_are_not_checked_are_known_as_well() {
        let text = "[profile.a]\nregion = \"eu-west-1\"\ntask_role = \"ci-a\"\n\
                    [profile.b]\nregion = \"eu-west-2\"\ntask_role = \"ci-b\"\n";
        for needs in needs(text) {
            assert!(needs.configured_roles.iter().eq(["ci-a", "ci-b"]), "{needs:?}");
        }
    }

    #[test]
    fn each_region_is_looked_at_by_itself() {
        let found =
            needs("[profile.a]\nregion = \"eu-west-1\"\n[profile.b]\nregion = \"eu-west-2\"\n");
        assert_eq!(found.len(), 2);
        assert_eq!(needs("").len(), 1, "`[defaults]` alone is a profile");
    }
}
