//! What a job may choose by its variables: nothing, unless the configuration lists that value.
//!
//! The values come from whoever wrote the pipeline. They are compared, never interpreted, and shown
//! only escaped and cut.

use std::ffi::OsString;

use fargate_config::{ConfigGrammar, JobProfile};
use fargate_model::text::escape_within;

use crate::args::GlobalFlags;

/// Longest part of a value that is shown, in characters.
const SHOWN: usize = 60;

/// One setting that a job may ask for.
struct JobChoice<'a> {
    variable: &'static str,
    /// The value in force, if there is one.
    setting: Option<&'a str>,
    allowed: &'a [String],
    /// The key that allows values, in our grammar and in that of GitLab's driver.
    key: (&'static str, &'static str),
    /// The flag that decides, and whether it was given.
    flag: (&'static str, bool),
}

impl JobChoice<'_> {
    /// The value that the job gets instead, or the line that says why it gets none; neither where it
    /// asks for nothing new.
    fn ask(
        &self,
        given: Option<OsString>,
        grammar: ConfigGrammar,
    ) -> Option<Result<String, String>> {
        let given = given.filter(|given| !given.is_empty())?;
        let text = given.to_str();
        if text.is_some() && text == self.setting {
            return None;
        }
        let chosen = text.filter(|text| self.allowed.iter().any(|allowed| allowed == text));
        let variable = self.variable;
        let shown = escape_within(&given.to_string_lossy(), SHOWN);
        let (flag, decides) = self.flag;
        if decides {
            let why = format!("the flag `{flag}` decides");
            return Some(Err(format!("Warning: {variable} \"{shown}\" is ignored: {why}")));
        }
        Some(chosen.map(str::to_owned).ok_or_else(|| {
            let key = match grammar {
                ConfigGrammar::Own => self.key.0,
                ConfigGrammar::GitLab => self.key.1,
            };
            format!(
                "Warning: {variable} \"{shown}\" is ignored: a job chooses only from `{key}` in the \
                 runner's configuration"
            )
        }))
    }
}

/// Applies what the job's variables may choose, and gives one line for each that may not.
pub fn apply(
    profile: &mut JobProfile,
    grammar: ConfigGrammar,
    global: &GlobalFlags,
    lookup: impl Fn(&str) -> Option<OsString>,
) -> Vec<String> {
    let given = |flag: &Option<String>| flag.as_ref().is_some_and(|value| !value.is_empty());
    let task_definition = JobChoice {
        variable: "FARGATE_TASK_DEFINITION",
        setting: Some(&profile.task_definition),
        allowed: &profile.job_task_definitions,
        key: ("job_task_definitions", "JobTaskDefinitions"),
        flag: ("--task-def", given(&global.task_def)),
    };
    let platform_version = JobChoice {
        variable: "FARGATE_PLATFORM_VERSION",
        setting: profile.platform_version.as_deref(),
        allowed: &profile.job_platform_versions,
        key: ("job_platform_versions", "JobPlatformVersions"),
        flag: ("--platform-version", given(&global.platform_version)),
    };
    let asked = [task_definition, platform_version]
        .map(|choice| choice.ask(lookup(&format!("CUSTOM_ENV_{}", choice.variable)), grammar));
    let [task_definition, platform_version] = asked;
    let mut lines = Vec::new();
    match task_definition {
        Some(Ok(chosen)) => profile.task_definition = chosen,
        Some(Err(line)) => lines.push(line),
        None => {}
    }
    match platform_version {
        Some(Ok(chosen)) => profile.platform_version = Some(chosen),
        Some(Err(line)) => lines.push(line),
        None => {}
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use std::path::Path;

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

    /// What becomes of a job's variables: task definition, platform version and lines.
    fn asked(
        flags: &str,
        variables: &[(&str, &str)],
        grammar: ConfigGrammar,
    ) -> (String, String, String) {
        let line = format!("x {flags} custom prepare");
        let cli = crate::args::RunnerCli::try_parse_from(line.split_whitespace()).unwrap();
        let flags = cli.global.overrides().unwrap();
        let refuse = fargate_config::UnknownKeyPolicy::Refuse;
        let loaded = fargate_config::parse_with(FILE, Path::new("c"), refuse, &flags).unwrap();
        let mut profile = loaded.config.profile(None).unwrap();
        let lookup = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| OsString::from(value))
        };
        let lines = apply(&mut profile, grammar, &cli.global, lookup);
        let platform_version = profile.platform_version.unwrap_or_default();
        (profile.task_definition, platform_version, lines.join("\n"))
    }

    #[test]
    fn a_listed_value_is_taken_by_its_exact_name() {
        let variables = [
            ("CUSTOM_ENV_FARGATE_TASK_DEFINITION", "large:2"),
            ("CUSTOM_ENV_FARGATE_PLATFORM_VERSION", "1.4.0"),
        ];
        let (task_definition, version, lines) = asked("", &variables, ConfigGrammar::Own);
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
            let variables = [("CUSTOM_ENV_FARGATE_TASK_DEFINITION", given)];
            let (task_definition, _, lines) = asked("", &variables, ConfigGrammar::Own);
            assert_eq!((task_definition.as_str(), lines.lines().count()), ("ci", 1), "{given}");
        }
        let hostile = format!("x\n\u{1b}[2J{}", "y".repeat(10_000));
        let variables = [
            ("CUSTOM_ENV_FARGATE_TASK_DEFINITION", hostile.as_str()),
            ("CUSTOM_ENV_FARGATE_PLATFORM_VERSION", "1.3.0"),
        ];
        insta::assert_snapshot!(asked("", &variables, ConfigGrammar::Own).2, @r#"
        Warning: FARGATE_TASK_DEFINITION "x\x0a\x1b[2Jyyyyyyyyyyyyyyyyy...yyyyyyyyyyyyyyyyyyyyyyyyyyyy" is ignored: a job chooses only from `job_task_definitions` in the runner's configuration
        Warning: FARGATE_PLATFORM_VERSION "1.3.0" is ignored: a job chooses only from `job_platform_versions` in the runner's configuration
        "#);
        insta::assert_snapshot!(asked("", &variables[1..], ConfigGrammar::GitLab).2, @r#"Warning: FARGATE_PLATFORM_VERSION "1.3.0" is ignored: a job chooses only from `JobPlatformVersions` in the runner's configuration"#);
    }

    #[test]
    fn an_empty_value_and_the_one_in_force_say_nothing() {
        for given in ["", "ci"] {
            let variables = [("CUSTOM_ENV_FARGATE_TASK_DEFINITION", given)];
            let (task_definition, _, lines) = asked("", &variables, ConfigGrammar::Own);
            assert_eq!((task_definition.as_str(), lines.as_str()), ("ci", ""));
        }
        // Without its prefix it is a variable of this host, not of the job.
        let own = [("FARGATE_TASK_DEFINITION", "large")];
        assert_eq!(asked("", &own, ConfigGrammar::Own).0, "ci");
    }

    #[test]
    fn a_flag_decides_before_what_a_job_may_choose() {
        let variables = [
            ("CUSTOM_ENV_FARGATE_TASK_DEFINITION", "large"),
            ("CUSTOM_ENV_FARGATE_PLATFORM_VERSION", "1.4.0"),
        ];
        let flags = "--task-def=other:3 --platform-version=LATEST";
        let (task_definition, version, lines) = asked(flags, &variables, ConfigGrammar::Own);
        assert_eq!((task_definition.as_str(), version.as_str()), ("other:3", "LATEST"));
        insta::assert_snapshot!(lines, @r#"
        Warning: FARGATE_TASK_DEFINITION "large" is ignored: the flag `--task-def` decides
        Warning: FARGATE_PLATFORM_VERSION "1.4.0" is ignored: the flag `--platform-version` decides
        "#);
    }
}
