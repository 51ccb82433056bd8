//! What to say about a key that is not known where it stands: the nearest name, or where it belongs.
//!
//! The sections and their keys come from the settings table; each grammar lists its own.

use crate::table::{SettingKind, SettingSection};

/// Most keys that are listed where nothing near was found. The reference file has them all.
const MAX_LISTED: usize = 24;

/// What a key that is not known means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownKeyPolicy {
    /// A problem like any other: for a person who checks the file.
    Refuse,
    /// A warning: inside a job's stages, so that a binary which was rolled back to an older version
    /// does not stop all jobs.
    Warn,
}

/// How the keys of a file are compared with those that are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyMatching {
    /// As they are written. What has an empty value is there.
    Exact,
    /// Without regard to case, `_` and `-`, as GitLab's driver takes `subnet` for `Subnet` and our
    /// own names fit in. A key with an empty text counts as absent, as it does there.
    Loose,
}

impl KeyMatching {
    /// Whether a key of the file is the one that is known as `name`.
    pub(crate) fn same(self, given: &str, name: &str) -> bool {
        fn plain(text: &str) -> impl Iterator<Item = char> {
            text.chars().filter(|c| !matches!(c, '_' | '-')).map(|c| c.to_ascii_lowercase())
        }
        match self {
            Self::Exact => given == name,
            Self::Loose => plain(given).eq(plain(name)),
        }
    }
}

/// The keys that a section of the file may have.
#[derive(Clone, Debug)]
pub(crate) struct KnownSection {
    /// The name of the section in the settings table, or of one that only the grammar has.
    pub(crate) name: &'static str,
    /// Where its keys are written.
    home: String,
    pub(crate) keys: Vec<KnownKey>,
}

/// A key that a section may have.
#[derive(Clone, Debug)]
pub(crate) struct KnownKey {
    pub(crate) name: String,
    /// A line that shows how it is written.
    pub(crate) example: String,
}

impl KnownKey {
    pub(crate) fn new(name: &str, example: &str) -> Self {
        Self { name: name.to_owned(), example: example.to_owned() }
    }
}

impl KnownSection {
    pub(crate) fn new(name: &'static str, home: &str, keys: Vec<KnownKey>) -> Self {
        Self { name, home: home.to_owned(), keys }
    }

    /// The section and those below it. `tables` says under which headers it may stand, the usual one
    /// first.
    pub(crate) fn with_sections_below(
        section: &'static SettingSection,
        tables: &[String],
    ) -> Vec<Self> {
        let headers: Vec<String> = tables.iter().map(|table| format!("`[{table}]`")).collect();
        Self::walk(section, &format!("in {}", headers.join(" or ")), tables)
    }

    /// The section of the items of a list, and those below it.
    pub(crate) fn of_items(section: &'static SettingSection, list: &str) -> Vec<Self> {
        Self::walk(section, &format!("in an item of `{list}`"), &[])
    }

    fn walk(section: &'static SettingSection, home: &str, tables: &[String]) -> Vec<Self> {
        let header = |name: &str| match tables {
            [] => name.to_owned(),
            [first, ..] => format!("[{first}.{name}]"),
        };
        let known = section.keys.iter().map(|key| match key.example_value() {
            Some(value) => KnownKey::new(key.name, &format!("{} = {value}", key.name)),
            None => KnownKey::new(key.name, &header(key.name)),
        });
        let mut found = vec![Self::new(section.name, home, known.collect())];
        for key in section.keys {
            match key.kind {
                SettingKind::Table(below) => {
                    let tables: Vec<String> =
                        tables.iter().map(|table| format!("{table}.{}", key.name)).collect();
                    found.extend(Self::with_sections_below(below, &tables));
                }
                SettingKind::Tables(list) => {
                    found.extend(Self::of_items(list.section, key.name));
                }
                _ => {}
            }
        }
        found
    }

    pub(crate) fn example(&self, name: &str) -> Option<&str> {
        self.keys.iter().find(|key| key.name == name).map(|key| key.example.as_str())
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|key| key.name.as_str())
    }
}

/// What to say about a key that a section does not have.
pub(crate) struct UnknownKey {
    /// What follows `key ... `.
    pub(crate) rest: String,
    pub(crate) hint: Option<String>,
    /// The key that was probably meant.
    pub(crate) meant: Option<String>,
}

impl UnknownKey {
    pub(crate) fn unexplained() -> Self {
        Self { rest: "is not known here".to_owned(), hint: None, meant: None }
    }

    /// `known` has every section of the grammar, `section` is the one that `given` stands in.
    pub(crate) fn in_section(
        known: &[KnownSection],
        section: &str,
        given: &str,
        naming: KeyMatching,
    ) -> Self {
        let Some(own) = known.iter().find(|known| known.name == section) else {
            return Self::unexplained();
        };
        let wanted = snake_case(given);
        if let Some(answer) = Self::public_address(own, &wanted, naming) {
            return answer;
        }
        let wanted = if naming == KeyMatching::Exact { current_name(&wanted) } else { &wanted };
        let same = own.names().find(|name| naming.same(wanted, name));
        let mut others = known.iter().filter(|other| other.name != section);
        if same.is_none()
            && let Some(answer) = others.find_map(|other| Self::at_home_in(other, wanted, naming))
        {
            return answer;
        }
        match same.or_else(|| nearest(wanted, own.names())) {
            Some(name) => Self {
                rest: format!("is not known here, nearest is `{name}`"),
                hint: own.example(name).map(how),
                meant: Some(name.to_owned()),
            },
            // Of a file of GitLab's driver it is said to whoever reads the job's log, so shortly.
            None if naming == KeyMatching::Loose => {
                let rest = "is not known here, it is ignored".to_owned();
                Self { rest, hint: None, meant: None }
            }
            None => {
                let names: Vec<&str> = own.names().collect();
                let shown = names[..names.len().min(MAX_LISTED)].join(", ");
                let more = match names.len().saturating_sub(MAX_LISTED) {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                let rest = format!("is not known here; known are: {shown}{more}");
                Self { rest, hint: None, meant: None }
            }
        }
    }

    /// The keys of GitLab's driver that became `public_ip` in our grammar.
    fn public_address(section: &KnownSection, wanted: &str, naming: KeyMatching) -> Option<Self> {
        let theirs = ["enable_public_ip", "use_public_ip", "assign_public_ip"].contains(&wanted);
        let ours = naming == KeyMatching::Exact && section.example("public_ip").is_some();
        (theirs && ours).then(|| Self {
            rest: "is not known here, nearest is `public_ip`".to_owned(),
            hint: Some(
                "`public_ip = \"dialled\"` is what `EnablePublicIP = true` was, \
                 `public_ip = \"assigned\"` what it was with `UsePublicIP = false`"
                    .to_owned(),
            ),
            meant: Some("public_ip".to_owned()),
        })
    }

    fn at_home_in(section: &KnownSection, wanted: &str, naming: KeyMatching) -> Option<Self> {
        let key = section.keys.iter().find(|key| naming.same(wanted, &key.name))?;
        Some(Self {
            rest: format!("is not known here, it belongs {}", section.home),
            hint: Some(match key.example.contains(" = ") {
                true => format!("write `{}` there", key.example),
                false => format!("write `{}`", key.example),
            }),
            meant: Some(key.name.clone()),
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

/// Names that other configuration files, or trial versions of this product, use for a key.
const OTHER_NAMES: &[(&str, &str)] = &[
    ("username", "user"),
    ("login", "user"),
    ("capacity_provider", "provider"),
    ("environment", "tags"),
    ("labels", "tags"),
    ("timeout", "timeouts"),
    ("limit", "limits"),
    ("profiles", "profile"),
    ("default", "defaults"),
    ("spot", "capacity_provider_strategy"),
    ("capacity_providers", "capacity_provider_strategy"),
    ("strategy", "capacity_provider_strategy"),
    ("security_group_ids", "security_groups"),
    ("subnet_ids", "subnets"),
    ("memory_mib", "memory"),
    ("ram", "memory"),
    ("cpu_units", "cpu"),
    ("vcpu", "cpu"),
    // Of trial versions.
    ("start", "task_start"),
    ("ready", "agent_start"),
    ("dial", "connect_attempt"),
    ("dial_again", "connect_retry_pause"),
    ("handshake", "ssh_handshake"),
    ("authenticate", "ssh_authentication"),
    ("hello", "session_open"),
    ("keepalive", "keepalive_interval"),
    ("rekey_mib", "rekey_after_mib"),
    ("api_connect", "aws_connect"),
    ("api_attempt", "aws_attempt"),
    ("api_operation", "aws_call"),
    ("poll_min", "ecs_poll_min"),
    ("poll_max", "ecs_poll_max"),
    ("reads_per_second", "ecs_reads_per_second"),
    ("stop", "task_stop"),
    ("resume", "reconnect"),
    ("idle", "task_idle"),
    ("exec_idle", "exec_task_idle"),
    ("job_fallback", "default_job_timeout"),
    ("slow_start", "pending_notice"),
    ("progress", "progress_interval"),
    ("verdict", "stop_reason"),
    ("visible", "task_visibility"),
    ("lock", "state_lock"),
    ("tombstone", "tombstone_retention"),
    ("paused", "paused_host"),
    ("second_sighting", "orphan_recheck"),
    ("relaunches", "task_relaunches"),
    ("registry_pause", "registry_retry_pause"),
];

/// Our name for a key that others call `name`.
fn current_name(name: &str) -> &str {
    OTHER_NAMES.iter().find(|(other, _)| *other == name).map_or(name, |(_, ours)| ours)
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
    fn a_name_that_is_near_nothing_has_no_nearest() {
        let names = || ["cluster", "region", "subnets"].into_iter();
        assert_eq!(nearest("clustr", names()), Some("cluster"));
        assert_eq!(nearest("colour", names()), None);
        assert_eq!(nearest("", names()), None);
        assert_eq!(nearest(&"cluster".repeat(20), names()), None);
    }
}
