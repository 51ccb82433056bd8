//! What a job may choose by its variables: nothing, unless the profile lists that value.
//!
//! The values come from whoever wrote the pipeline. They are compared, never interpreted, and shown
//! only escaped and cut. How a forge hands on a job's variables is not known here.

use std::ffi::{OsStr, OsString};
use std::fmt;

use fargate_model::text::escape_within;

use crate::{ConfigGrammar, JobProfile};

/// Longest part of a value that is shown, in characters.
const SHOWN: usize = 60;

/// The variable by which a job chooses between Spot and on-demand capacity.
const SPOT: &str = "FARGATE_SPOT";

/// Which of the settings that a job may choose were given by a flag. A flag decides before the job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChoiceFlags {
    /// `--task-def`.
    pub task_definition: bool,
    /// `--platform-version`.
    pub platform_version: bool,
}

/// A value that a job asked for and does not get. As text it is a line for the job's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoredChoice {
    /// The job's variable.
    pub variable: &'static str,
    /// Its value, escaped and cut.
    pub given: String,
    /// Why it is ignored.
    pub reason: IgnoredReason,
}

/// Why a choice is ignored. Keys are spelled as the grammar of the file has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IgnoredReason {
    /// This flag decides.
    FlagDecides(&'static str),
    /// This key does not list the value.
    NotListed(&'static str),
    /// This key lets no job choose.
    NoneAllowed(&'static str),
    /// This key allows at most so much.
    AboveLimit(&'static str, u32),
    /// It is no size of Fargate's, with what is expected.
    NoSize(String),
    /// It needs at least so much of what another variable says, which is more than this key allows.
    NeedsMore {
        /// The other variable.
        other: &'static str,
        /// The least that fits.
        least: u32,
        /// The key of the limit.
        key: &'static str,
    },
    /// It is neither `true` nor `false`.
    NoSwitch,
}

impl fmt::Display for IgnoredChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} \"{}\" is ignored: {}", self.variable, self.given, self.reason)
    }
}

impl fmt::Display for IgnoredReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FlagDecides(flag) => write!(f, "the flag `{flag}` decides"),
            Self::NotListed(key) => {
                write!(f, "a job chooses only from `{key}` in the runner's configuration")
            }
            Self::NoneAllowed(key) => {
                write!(f, "`{key}` in the runner's configuration lets no job choose it")
            }
            Self::AboveLimit(key, most) => {
                write!(f, "`{key}` in the runner's configuration allows at most {most}")
            }
            Self::NoSize(expected) => f.write_str(expected),
            Self::NeedsMore { other, least, key } => write!(
                f,
                "it needs {other} {least} or more, which `{key}` in the runner's configuration does \
                 not allow"
            ),
            Self::NoSwitch => f.write_str("allowed are `true` and `false`"),
        }
    }
}

impl IgnoredChoice {
    pub(crate) fn of(variable: &'static str, given: &OsStr, reason: IgnoredReason) -> Self {
        Self { variable, given: escape_within(&given.to_string_lossy(), SHOWN), reason }
    }

    /// The line for a job that does not run for it.
    #[must_use]
    pub fn refusal(&self) -> String {
        format!("{} \"{}\" is refused: {}", self.variable, self.given, self.reason)
    }

    /// Whether the job asked for a size or for a capacity, so that `on_unsupported` decides what becomes
    /// of it. Other choices are only ignored.
    #[must_use]
    pub fn is_of_size(&self) -> bool {
        !matches!(self.reason, IgnoredReason::FlagDecides(_) | IgnoredReason::NotListed(_))
    }
}

/// One setting that a job may ask for.
struct JobChoice<'a> {
    variable: &'static str,
    /// The value in force, if there is one.
    setting: Option<&'a str>,
    allowed: &'a [String],
    /// The key that lists the allowed values.
    key: &'static str,
    /// The flag that decides, and whether it was given.
    flag: (&'static str, bool),
}

impl JobChoice<'_> {
    /// The value that the job gets, or why it gets none; neither where it asks for nothing new.
    fn ask(&self, given: Option<OsString>) -> Option<Result<String, IgnoredChoice>> {
        let given = given.filter(|given| !given.is_empty())?;
        let text = given.to_str();
        if text.is_some() && text == self.setting {
            return None;
        }
        let ignored = |reason| IgnoredChoice::of(self.variable, &given, reason);
        let (flag, decides) = self.flag;
        if decides {
            return Some(Err(ignored(IgnoredReason::FlagDecides(flag))));
        }
        // A text that is no UTF-8 is equal to nothing in the file.
        let chosen = text.filter(|text| self.allowed.iter().any(|allowed| allowed == text));
        Some(chosen.map(str::to_owned).ok_or_else(|| ignored(IgnoredReason::NotListed(self.key))))
    }
}

impl JobProfile {
    /// Applies what the job's variables choose from the lists of this profile. `variable` gives the
    /// value of a variable of the job, and never one of this host. What the job does not get is in the
    /// answer.
    pub fn apply_job_choices(
        &mut self,
        grammar: ConfigGrammar,
        flags: ChoiceFlags,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Vec<IgnoredChoice> {
        let key = |own, gitlab| match grammar {
            ConfigGrammar::Own => own,
            ConfigGrammar::GitLab => gitlab,
        };
        let task_definition = JobChoice {
            variable: "FARGATE_TASK_DEFINITION",
            setting: self.task_definition.as_deref(),
            allowed: &self.job_task_definitions,
            key: key("job_task_definitions", "JobTaskDefinitions"),
            flag: ("--task-def", flags.task_definition),
        };
        let platform_version = JobChoice {
            variable: "FARGATE_PLATFORM_VERSION",
            setting: self.platform_version.as_deref(),
            allowed: &self.job_platform_versions,
            key: key("job_platform_versions", "JobPlatformVersions"),
            flag: ("--platform-version", flags.platform_version),
        };
        let [task_definition, platform_version] = [task_definition, platform_version]
            .map(|choice| choice.ask(variable(choice.variable)).transpose());
        let mut ignored = Vec::new();
        match task_definition {
            Ok(Some(chosen)) => {
                self.image = None;
                self.task_definition = Some(chosen);
            }
            Ok(None) => {}
            Err(choice) => ignored.push(choice),
        }
        match platform_version {
            Ok(chosen) => self.platform_version = chosen.or(self.platform_version.take()),
            Err(choice) => ignored.push(choice),
        }
        ignored.extend(self.apply_job_size(key, &variable));
        ignored.extend(self.apply_job_spot(key("job_spot", "JobSpot"), variable(SPOT)));
        ignored
    }

    /// Applies the capacity that the job asks for. Spot is followed by `capacity_fallback`; a job that
    /// wants no Spot gets none as a second choice either.
    fn apply_job_spot(
        &mut self,
        key: &'static str,
        given: Option<OsString>,
    ) -> Option<IgnoredChoice> {
        let given = given.filter(|given| !given.is_empty())?;
        let ignored = |reason| Some(IgnoredChoice::of(SPOT, &given, reason));
        let on_spot = match given.to_str() {
            Some("true" | "1") => true,
            Some("false" | "0") => false,
            _ => return ignored(IgnoredReason::NoSwitch),
        };
        if self.is_on_spot() == Some(on_spot) {
            return None;
        }
        if !self.job_spot {
            return ignored(IgnoredReason::NoneAllowed(key));
        }
        self.set_spot(on_spot);
        None
    }
}

/// A profile with these keys, for tests.
#[cfg(test)]
pub(crate) fn example_profile(keys: &str) -> JobProfile {
    let text = format!(
        "config_version = 1\n[defaults]\ncluster = \"ci\"\nsubnets = [\"subnet-1\"]\n\
         security_groups = [\"sg-1\"]\n{keys}\n"
    );
    let path = std::path::Path::new("c");
    let loaded = crate::parse(&text, path, crate::UnknownKeyPolicy::Refuse).unwrap();
    loaded.config.profile(None).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    use crate::{FlagOverrides, LaunchMode, LaunchType, UnknownKeyPolicy, parse_with};

    const FILE: &str = r#"
        config_version = 1
        [defaults]
        cluster = "ci"
        subnets = ["subnet-1"]
        security_groups = ["sg-1"]
        task_definition = "ci"
        job_task_definitions = ["large", "large:2"]
        job_platform_versions = ["1.4.0"]
    "#;

    /// What becomes of a job's variables: task definition, platform version and lines. `flags` are
    /// the values of `--task-def` and `--platform-version`.
    fn asked(
        flags: Option<(&str, &str)>,
        variables: &[(&str, &str)],
        grammar: ConfigGrammar,
    ) -> (String, String, String) {
        let (task_definition, platform_version) = flags.unzip();
        let overrides = FlagOverrides::default().task_definition(task_definition).unwrap();
        let overrides = overrides.platform_version(platform_version).unwrap();
        let loaded =
            parse_with(FILE, Path::new("c"), UnknownKeyPolicy::Refuse, &overrides).unwrap();
        let mut profile = loaded.config.profile(None).unwrap();
        let given =
            ChoiceFlags { task_definition: flags.is_some(), platform_version: flags.is_some() };
        let lookup = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| OsString::from(value))
        };
        let ignored = profile.apply_job_choices(grammar, given, lookup);
        let lines: Vec<String> = ignored.iter().map(IgnoredChoice::to_string).collect();
        let platform_version = profile.platform_version.unwrap_or_default();
        (profile.task_definition.unwrap(), platform_version, lines.join("\n"))
    }

    #[test]
    fn a_listed_value_is_taken_by_its_exact_name() {
        let variables =
            [("FARGATE_TASK_DEFINITION", "large:2"), ("FARGATE_PLATFORM_VERSION", "1.4.0")];
        let (task_definition, version, lines) = asked(None, &variables, ConfigGrammar::Own);
        assert_eq!(
            (task_definition.as_str(), version.as_str(), lines.as_str()),
            ("large:2", "1.4.0", "")
        );
    }

    #[test]
    fn whatever_else_is_ignored_with_one_line() {
        for given in
            ["large:1", "LARGE", " large", "large ", "*", "ci:1", "large,large:2", "../large"]
        {
            let variables = [("FARGATE_TASK_DEFINITION", given)];
            let (task_definition, _, lines) = asked(None, &variables, ConfigGrammar::Own);
            assert_eq!((task_definition.as_str(), lines.lines().count()), ("ci", 1), "{given}");
        }
        let hostile = format!("x\n\u{1b}[2J{}", "y".repeat(10_000));
        let variables =
            [("FARGATE_TASK_DEFINITION", hostile.as_str()), ("FARGATE_PLATFORM_VERSION", "1.3.0")];
        insta::assert_snapshot!(asked(None, &variables, ConfigGrammar::Own).2, @r#"
        FARGATE_TASK_DEFINITION "x\x0a\x1b[2Jyyyyyyyyyyyyyyyyy...yyyyyyyyyyyyyyyyyyyyyyyyyyyy" is ignored: a job chooses only from `job_task_definitions` in the runner's configuration
        FARGATE_PLATFORM_VERSION "1.3.0" is ignored: a job chooses only from `job_platform_versions` in the runner's configuration
        "#);
        insta::assert_snapshot!(asked(None, &variables[1..], ConfigGrammar::GitLab).2, @r#"FARGATE_PLATFORM_VERSION "1.3.0" is ignored: a job chooses only from `JobPlatformVersions` in the runner's configuration"#);
    }

    #[test]
    fn an_empty_value_and_the_one_in_force_say_nothing() {
        for given in ["", "ci"] {
            let variables = [("FARGATE_TASK_DEFINITION", given)];
            let (task_definition, _, lines) = asked(None, &variables, ConfigGrammar::Own);
            assert_eq!((task_definition.as_str(), lines.as_str()), ("ci", ""));
        }
    }

    #[test]
    fn a_flag_decides_before_what_a_job_may_choose() {
        let variables =
            [("FARGATE_TASK_DEFINITION", "large"), ("FARGATE_PLATFORM_VERSION", "1.4.0")];
        let flags = Some(("other:3", "LATEST"));
        let (task_definition, version, lines) = asked(flags, &variables, ConfigGrammar::Own);
        assert_eq!((task_definition.as_str(), version.as_str()), ("other:3", "LATEST"));
        insta::assert_snapshot!(lines, @r#"
        FARGATE_TASK_DEFINITION "large" is ignored: the flag `--task-def` decides
        FARGATE_PLATFORM_VERSION "1.4.0" is ignored: the flag `--platform-version` decides
        "#);
    }

    /// The capacities that a job with this value of `FARGATE_SPOT` gets, and the line about it.
    fn capacity(keys: &str, given: &str) -> (LaunchMode, Vec<String>, String) {
        let mut profile = example_profile(&format!("task_definition = \"ci\"\n{keys}"));
        let lookup = |name: &str| (name == SPOT).then(|| OsString::from(given));
        let ignored = profile.apply_job_choices(ConfigGrammar::Own, ChoiceFlags::default(), lookup);
        let lines: Vec<String> = ignored.iter().map(IgnoredChoice::to_string).collect();
        (profile.launch(), profile.capacity_fallback, lines.join("\n"))
    }

    #[test]
    fn a_job_gets_spot_first_or_no_spot_at_all() {
        let keys = "job_spot = true\ncapacity_fallback = [\"FARGATE_SPOT\", \"FARGATE\"]";
        let (launch, fallback, said) = capacity(keys, "true");
        let LaunchMode::Strategy(items) = launch else { panic!("{launch:?}") };
        assert_eq!((items.len(), items[0].provider.as_str()), (1, "FARGATE_SPOT"));
        assert_eq!((fallback.len(), said.as_str()), (2, ""));
        for own in ["", "capacity_provider_strategy = [{ provider = \"FARGATE_SPOT\" }]"] {
            let (launch, fallback, said) = capacity(&format!("{keys}\n{own}"), "false");
            assert_eq!(launch, LaunchMode::Type(LaunchType::Fargate));
            assert_eq!((fallback, said.as_str()), (vec!["FARGATE".to_owned()], ""));
        }
    }

    #[test]
    fn spot_is_for_jobs_to_choose_only_where_the_profile_says_so() {
        let (launch, _, said) = capacity("", "true");
        assert_eq!(launch, LaunchMode::Type(LaunchType::Fargate));
        insta::assert_snapshot!(said, @r#"FARGATE_SPOT "true" is ignored: `job_spot` in the runner's configuration lets no job choose it"#);
        let (_, _, said) = capacity("job_spot = true", "maybe");
        insta::assert_snapshot!(said, @r#"FARGATE_SPOT "maybe" is ignored: allowed are `true` and `false`"#);
        for same in ["false", "0", ""] {
            assert_eq!(capacity("", same).2, "");
        }
    }
}
