//! Which keys there are and where they belong, so that a key that is not known here gets an answer.
//!
//! What a key may hold is in `layer` and `check`; the keys of `[timeouts]` are in `timeouts`.

use crate::reader::KeyMatching;
use crate::timeouts::{JobTimeouts, TIMEOUT_KEYS};

/// A group of keys that stand together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConfigSection {
    /// The top of the file.
    Top,
    /// `[defaults]` and each `[profile.NAME]`.
    Settings,
    /// `[defaults.ssh]`.
    Ssh,
    /// `[defaults.timeouts]`; in the grammar of GitLab's driver `[Fargate.Timeouts]`.
    Timeouts,
    /// One item of `capacity_provider_strategy`.
    StrategyItem,
    /// The top of a file of GitLab's driver.
    GitLabTop,
    /// Its `[Fargate]`.
    Fargate,
    /// Its `[TaskMetadata]`.
    TaskMetadata,
    /// Its `[SSH]`.
    GitLabSsh,
}

/// The keys of a section, each with a line that shows how it is written.
pub(crate) type SectionKeys = &'static [(&'static str, &'static str)];

const TOP: SectionKeys = &[
    ("config_version", "config_version = 1"),
    ("owner", "owner = \"ci-host-1\""),
    ("state_dir", "state_dir = \"/var/lib/fargate-runner\""),
    ("log_file", "log_file = \"/var/log/fargate-runner.jsonl\""),
    ("log_level", "log_level = \"info\""),
    ("log_format", "log_format = \"json\""),
    ("defaults", "[defaults]"),
    ("profile", "[profile.NAME]"),
];

const SETTINGS: SectionKeys = &[
    ("cluster", "cluster = \"ci\""),
    ("region", "region = \"eu-west-1\""),
    ("subnets", "subnets = [\"subnet-0a1\"]"),
    ("security_groups", "security_groups = [\"sg-0a1\"]"),
    ("task_definition", "task_definition = \"ci\""),
    ("container", "container = \"job\""),
    ("launch_type", "launch_type = \"FARGATE\""),
    (
        "capacity_provider_strategy",
        "capacity_provider_strategy = [{ provider = \"FARGATE_SPOT\", weight = 1 }]",
    ),
    ("platform_version", "platform_version = \"1.4.0\""),
    ("cpu", "cpu = 1024"),
    ("memory", "memory = 2048"),
    ("host_key", "host_key = \"seed\""),
    ("public_ip", "public_ip = \"none\""),
    ("enable_execute_command", "enable_execute_command = true"),
    ("job_task_definitions", "job_task_definitions = [\"ci-large\"]"),
    ("job_platform_versions", "job_platform_versions = [\"1.4.0\"]"),
    ("assume_role_arn", "assume_role_arn = \"arn:aws:iam::123456789012:role/ci-runner\""),
    ("assume_role_external_id", "assume_role_external_id = \"ci\""),
    ("assume_role_session_name", "assume_role_session_name = \"ci-host-1\""),
    ("ca_bundle", "ca_bundle = \"/etc/ssl/certs/proxy.pem\""),
    ("shell", "shell = \"bash\""),
    ("builds_dir", "builds_dir = \"/builds\""),
    ("cache_dir", "cache_dir = \"/cache\""),
    ("ssh", "[defaults.ssh]"),
    ("timeouts", "[defaults.timeouts]"),
    ("tags", "[defaults.tags]"),
];

const SSH: SectionKeys = &[
    ("user", "user = \"root\""),
    ("port", "port = 22"),
    ("client_key", "client_key = \"ed25519\""),
];

const STRATEGY_ITEM: SectionKeys =
    &[("provider", "provider = \"FARGATE_SPOT\""), ("weight", "weight = 1"), ("base", "base = 0")];

impl ConfigSection {
    /// The sections of our grammar.
    const OURS: &[Self] =
        &[Self::Top, Self::Settings, Self::Ssh, Self::Timeouts, Self::StrategyItem];
    /// Those of GitLab's driver, with what of ours fits in.
    const GITLAB: &[Self] = &[
        Self::GitLabTop,
        Self::Fargate,
        Self::TaskMetadata,
        Self::GitLabSsh,
        Self::Timeouts,
        Self::StrategyItem,
    ];

    fn all(naming: KeyMatching) -> &'static [Self] {
        match naming {
            KeyMatching::Exact => Self::OURS,
            KeyMatching::Loose => Self::GITLAB,
        }
    }

    fn fixed(self) -> SectionKeys {
        match self {
            Self::Top => TOP,
            Self::Settings => SETTINGS,
            Self::Ssh => SSH,
            Self::Timeouts => &[],
            Self::StrategyItem => STRATEGY_ITEM,
            Self::GitLabTop => crate::gitlab::keys::TOP,
            Self::Fargate => crate::gitlab::keys::FARGATE,
            Self::TaskMetadata => crate::gitlab::keys::TASK_METADATA,
            Self::GitLabSsh => crate::gitlab::keys::SSH,
        }
    }

    /// The names of its keys, in the order of the reference file.
    pub(crate) fn names(self) -> Vec<&'static str> {
        let names = self.fixed().iter().map(|(name, _)| *name);
        match self {
            Self::Timeouts => TIMEOUT_KEYS.iter().map(|key| key.name).collect(),
            _ => names.collect(),
        }
    }

    /// How a key is written, or `None` if the section has no such key.
    pub(crate) fn example(self, name: &str) -> Option<String> {
        if self == Self::Timeouts {
            let key = TIMEOUT_KEYS.iter().find(|key| key.name == name)?;
            let default = (key.get)(&JobTimeouts::default());
            return Some(format!("{name} = {}", crate::show::amount(default)));
        }
        let line = self.fixed().iter().find(|(known, _)| *known == name);
        line.map(|(_, line)| (*line).to_owned())
    }

    /// Where its keys are written.
    fn home(self, naming: KeyMatching) -> &'static str {
        match (self, naming) {
            (Self::Top | Self::GitLabTop, _) => "at the top of the file",
            (Self::Settings, _) => "in `[defaults]` or `[profile.NAME]`",
            (Self::Ssh, _) => "in `[defaults.ssh]` or `[profile.NAME.ssh]`",
            (Self::Timeouts, KeyMatching::Exact) => {
                "in `[defaults.timeouts]` or `[profile.NAME.timeouts]`"
            }
            (Self::Timeouts, KeyMatching::Loose) => "in `[Fargate.Timeouts]`",
            (Self::StrategyItem, KeyMatching::Exact) => {
                "in an item of `capacity_provider_strategy`"
            }
            (Self::StrategyItem, KeyMatching::Loose) => "in an item of `CapacityProviderStrategy`",
            (Self::Fargate, _) => "in `[Fargate]`",
            (Self::TaskMetadata, _) => "in `[TaskMetadata]`",
            (Self::GitLabSsh, _) => "in `[SSH]`",
        }
    }
}

/// What to say about a key that a section does not have.
pub(crate) struct UnknownKey {
    /// What follows `key ... `.
    pub(crate) rest: String,
    pub(crate) hint: Option<String>,
    /// The key that was probably meant.
    pub(crate) meant: Option<&'static str>,
}

impl UnknownKey {
    pub(crate) fn unexplained() -> Self {
        Self { rest: "is not known here".to_owned(), hint: None, meant: None }
    }

    pub(crate) fn in_section(section: ConfigSection, given: &str, naming: KeyMatching) -> Self {
        let wanted = snake_case(given);
        if let Some(stranger) = Self::public_address(section, &wanted) {
            return stranger;
        }
        let wanted = if naming == KeyMatching::Exact { alias(&wanted) } else { &wanted };
        let names = section.names();
        let own = names.iter().copied().find(|name| naming.same(wanted, name));
        let mut others = ConfigSection::all(naming).iter().filter(|other| **other != section);
        if own.is_none()
            && let Some(stranger) = others.find_map(|o| Self::at_home_in(*o, wanted, naming))
        {
            return stranger;
        }
        match own.or_else(|| nearest(wanted, names.iter().copied())) {
            Some(name) => Self {
                rest: format!("is not known here, nearest is `{name}`"),
                hint: section.example(name).map(|example| how(&example)),
                meant: Some(name),
            },
            // Of a file of GitLab's driver it is said to whoever reads the job's log, so shortly.
            None if naming == KeyMatching::Loose => {
                let rest = "is not known here, it is ignored".to_owned();
                Self { rest, hint: None, meant: None }
            }
            None => {
                let rest = format!("is not known here; known are: {}", names.join(", "));
                Self { rest, hint: None, meant: None }
            }
        }
    }

    /// The keys of GitLab's driver that became one of ours.
    fn public_address(section: ConfigSection, wanted: &str) -> Option<Self> {
        let theirs = ["enable_public_ip", "use_public_ip", "assign_public_ip"].contains(&wanted);
        (section == ConfigSection::Settings && theirs).then(|| Self {
            rest: "is not known here, nearest is `public_ip`".to_owned(),
            hint: Some(
                "`public_ip = \"dialled\"` is what `EnablePublicIP = true` was, \
                 `public_ip = \"assigned\"` what it was with `UsePublicIP = false`"
                    .to_owned(),
            ),
            meant: Some("public_ip"),
        })
    }

    fn at_home_in(section: ConfigSection, wanted: &str, naming: KeyMatching) -> Option<Self> {
        let name = section.names().into_iter().find(|name| naming.same(wanted, name))?;
        let example = section.example(name)?;
        Some(Self {
            rest: format!("is not known here, it belongs {}", section.home(naming)),
            hint: Some(match example.contains(" = ") {
                true => format!("write `{example}` there"),
                false => format!("write `{example}`"),
            }),
            meant: Some(name),
        })
    }
}

/// A sentence with an example.
fn how(example: &str) -> String {
    match example.split_once(" = ") {
        Some((_, value)) if value.starts_with('[') => format!("a list is expected: `{example}`"),
        _ => format!("write it as in `{example}`"),
    }
}

/// Names that other configuration files use for one of ours.
fn alias(name: &str) -> &str {
    match name {
        "username" | "login" => "user",
        "capacity_provider" => "provider",
        "environment" | "labels" => "tags",
        "timeout" => "timeouts",
        "profiles" => "profile",
        "default" => "defaults",
        "spot" | "capacity_providers" | "strategy" => "capacity_provider_strategy",
        "security_group_ids" => "security_groups",
        "subnet_ids" => "subnets",
        "memory_mib" | "ram" => "memory",
        "cpu_units" | "vcpu" => "cpu",
        other => other,
    }
}

/// `SecurityGroup` and `security-group` as `security_group`.
fn snake_case(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    let mut after_lower = false;
    for c in name.chars() {
        if c.is_ascii_uppercase() && after_lower {
            out.push('_');
        }
        after_lower = c.is_ascii_lowercase() || c.is_ascii_digit();
        out.push(if c == '-' || c == ' ' { '_' } else { c.to_ascii_lowercase() });
    }
    out
}

/// The candidate that `given` most likely means, if any is near.
pub(crate) fn nearest<'a>(
    given: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    // Longer texts are no misspelt keys, and comparing them takes time.
    if given.is_empty() || given.len() > 64 {
        return None;
    }
    let given = snake_case(given);
    let scored = candidates.map(|name| (strsim::jaro_winkler(&given, &snake_case(name)), name));
    scored.filter(|(score, _)| *score >= 0.85).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, n)| n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_an_example_and_names_of_other_files_lead_to_a_key() {
        for section in ConfigSection::OURS.iter().chain(ConfigSection::GITLAB) {
            for name in section.names() {
                assert!(section.example(name).is_some_and(|line| line.contains(name)), "{name}");
            }
        }
        for (given, meant) in [
            ("SecurityGroup", "security_groups"),
            ("TaskDefinition", "task_definition"),
            ("PlatformVersion", "platform_version"),
            ("subnet-ids", "subnets"),
            ("LaunchTyp", "launch_type"),
        ] {
            assert_eq!(
                UnknownKey::in_section(ConfigSection::Settings, given, KeyMatching::Exact).meant,
                Some(meant)
            );
        }
    }

    #[test]
    fn a_name_that_is_near_nothing_has_no_nearest() {
        let names = || ConfigSection::Settings.names().into_iter();
        assert_eq!(nearest("colour", names()), None);
        assert_eq!(nearest("", names()), None);
        assert_eq!(nearest(&"cluster".repeat(20), names()), None);
    }
}
