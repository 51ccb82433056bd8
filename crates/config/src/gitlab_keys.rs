//! Which keys a file of GitLab's driver may have: its own, and those of ours in its spelling.
//!
//! What they mean is in `gitlab`.

use crate::config::RunnerConfig;
use crate::settings::{JobProfile, SshSettings};
use crate::table::{SettingKey, SettingKind, SettingSection};
use crate::unknown_key::{KnownKey, KnownSection};

/// The sections of such a file.
pub(crate) const TOP: &str = "GitLabTop";
pub(crate) const FARGATE: &str = "Fargate";
pub(crate) const TASK_METADATA: &str = "TaskMetadata";
pub(crate) const SSH: &str = "SSH";

/// The keys that only that driver has, each with a line that shows how it is written. The others are
/// keys of ours, in its spelling.
const THEIR_SETTINGS: &[(&str, &str)] = &[
    ("Subnet", "Subnet = \"subnet-0a1b2c3d4e5f60718\""),
    ("SecurityGroup", "SecurityGroup = \"sg-0a1b2c3d4e5f60718\""),
    ("EnablePublicIP", "EnablePublicIP = false"),
    ("UsePublicIP", "UsePublicIP = false"),
];
const THEIR_METADATA: &[(&str, &str)] =
    &[("Directory", "Directory = \"/opt/gitlab-runner/metadata\"")];
const THEIR_SSH: &[(&str, &str)] = &[("Username", "Username = \"root\"")];
const THEIR_TABLES: &[(&str, &str)] =
    &[("Fargate", "[Fargate]"), ("TaskMetadata", "[TaskMetadata]"), ("SSH", "[SSH]")];

/// The keys of `[Fargate]` that are ours: all but `ssh`, whose keys are in `[SSH]`.
pub(crate) fn settings_keys() -> impl Iterator<Item = &'static SettingKey> {
    JobProfile::SECTION.keys.iter().filter(|key| key.name != "ssh")
}

/// Every section of such a file, with its keys.
pub(crate) fn known_sections() -> Vec<KnownSection> {
    let theirs = |keys: &[(&str, &str)]| -> Vec<KnownKey> {
        keys.iter().map(|(name, example)| KnownKey::new(name, example)).collect()
    };
    let ours = |key: &SettingKey| {
        let name = key.gitlab_name();
        let example = match key.example_value() {
            Some(value) => format!("{name} = {value}"),
            None => format!("[Fargate.{name}]"),
        };
        KnownKey { name, example }
    };
    let both = |known: &[(&str, &str)], section: &SettingSection| {
        theirs(known).into_iter().chain(section.keys.iter().map(ours)).collect::<Vec<_>>()
    };
    let settings = theirs(THEIR_SETTINGS).into_iter().chain(settings_keys().map(ours)).collect();
    let top = both(THEIR_TABLES, RunnerConfig::SECTION);
    let mut known = vec![
        KnownSection::new(TOP, "at the top of the file", top),
        KnownSection::new(FARGATE, "in `[Fargate]`", settings),
        KnownSection::new(TASK_METADATA, "in `[TaskMetadata]`", theirs(THEIR_METADATA)),
        KnownSection::new(SSH, "in `[SSH]`", both(THEIR_SSH, SshSettings::SECTION)),
    ];
    for key in settings_keys() {
        match key.kind {
            SettingKind::Table(below) => {
                let table = format!("Fargate.{}", key.gitlab_name());
                known.extend(KnownSection::with_sections_below(below, &[table]));
            }
            SettingKind::Tables(list) => {
                known.extend(KnownSection::of_items(list.section, &key.gitlab_name()));
            }
            _ => {}
        }
    }
    known
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_of_ours_may_stand_in_their_file() {
        let known = known_sections();
        let names = |section: &str| -> Vec<String> {
            let section = known.iter().find(|known| known.name == section).expect(section);
            section.keys.iter().map(|key| key.name.clone()).collect()
        };
        let same = |known: &[String], name: &str| {
            let loose = crate::unknown_key::KeyMatching::Loose;
            known.iter().any(|known| loose.same(known, name))
        };
        for (section, table) in [
            (RunnerConfig::SECTION, TOP),
            (JobProfile::SECTION, FARGATE),
            (SshSettings::SECTION, SSH),
        ] {
            for key in section.keys {
                assert!(same(&names(table), key.name) || key.name == "ssh", "{}", key.name);
            }
        }
    }
}
