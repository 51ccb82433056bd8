//! What a job may choose by its variables: nothing, unless the profile lists that value.
//!
//! The values come from whoever wrote the pipeline. They are compared, never interpreted, and shown
//! only escaped and cut. How a forge hands on a job's variables is not known here.

use std::ffi::OsString;
use std::fmt;

use fargate_model::text::escape_within;

use crate::{ConfigGrammar, JobProfile};

/// Longest part of a value that is shown, in characters.
const SHOWN: usize = 60;

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

/// Why a choice is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IgnoredReason {
    /// This flag decides.
    FlagDecides(&'static str),
    /// This key, in the grammar of the file, does not list the value.
    NotListed(&'static str),
}

impl fmt::Display for IgnoredChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} \"{}\" is ignored: ", self.variable, self.given)?;
        match self.reason {
            IgnoredReason::FlagDecides(flag) => write!(f, "the flag `{flag}` decides"),
            IgnoredReason::NotListed(key) => {
                write!(f, "a job chooses only from `{key}` in the runner's configuration")
            }
        }
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
        let ignored = |reason| IgnoredChoice {
            variable: self.variable,
            given: escape_within(&given.to_string_lossy(), SHOWN),
            reason,
        };
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
        ignored
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    use crate::{FlagOverrides, UnknownKeyPolicy, parse_with};

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
}
