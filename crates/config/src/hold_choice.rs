//! For how long a job, or a person, may have the task of a failed job kept: as long as the profile allows.
//!
//! A job's value comes from whoever wrote the pipeline, and is shown only escaped and cut.

use std::ffi::OsString;
use std::fmt;
use std::time::Duration;

use fargate_model::text::escape_within;

use crate::{ConfigGrammar, JobProfile};

/// The variable by which a job asks for it.
const VARIABLE: &str = "FARGATE_HOLD";
/// Longest part of a value that is shown, in characters.
const SHOWN: usize = 60;
/// Shortest time for which a task is kept.
const SHORTEST: Duration = Duration::from_secs(1);

/// Why a task is not kept for as long as somebody asks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HoldLimitError {
    /// The profile keeps no task.
    #[error("`{key}` is not set in the runner's configuration, so no task of a failed job is kept")]
    NotAllowed {
        /// The key in the grammar of the file.
        key: &'static str,
    },
    /// The profile does not allow so much.
    #[error("`{key}` in the runner's configuration allows at most {}", humantime::format_duration(*.longest))]
    TooLong {
        /// The key in the grammar of the file.
        key: &'static str,
        /// What it says.
        longest: Duration,
    },
    /// It is no time, or none that lasts.
    #[error("a time of at least 1s is expected, such as `30m`")]
    NoTime,
}

/// A value of `FARGATE_HOLD` that is ignored. As text it is a line for the job's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoredHold {
    /// Its value, escaped and cut.
    pub given: String,
    /// Why it is ignored.
    pub why: HoldLimitError,
}

impl fmt::Display for IgnoredHold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{VARIABLE} \"{}\" is ignored: {}", self.given, self.why)
    }
}

impl JobProfile {
    /// For how long the task of this job is kept if the job fails. `variable` gives the value of a
    /// variable of the job, and never one of this host. `None` keeps it not at all.
    ///
    /// # Errors
    ///
    /// Returns [`IgnoredHold`] if the profile does not allow what the job asks for.
    pub fn job_hold(
        &self,
        grammar: ConfigGrammar,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Option<Duration>, IgnoredHold> {
        let Some(given) = variable(VARIABLE).filter(|given| !given.is_empty()) else {
            return Ok(None);
        };
        let given = given.to_string_lossy();
        let time = humantime::parse_duration(given.trim());
        let time = time.map_err(|_| HoldLimitError::NoTime);
        let allowed = time.and_then(|time| self.allowed_hold(grammar, time));
        allowed.map(Some).map_err(|why| IgnoredHold { given: escape_within(&given, SHOWN), why })
    }

    /// The same time, if the profile allows it.
    ///
    /// # Errors
    ///
    /// Returns [`HoldLimitError`] if it does not.
    pub fn allowed_hold(
        &self,
        grammar: ConfigGrammar,
        hold: Duration,
    ) -> Result<Duration, HoldLimitError> {
        let key = match grammar {
            ConfigGrammar::Own => "job_max_hold",
            ConfigGrammar::GitLab => "JobMaxHold",
        };
        match self.job_max_hold {
            None => Err(HoldLimitError::NotAllowed { key }),
            Some(longest) if hold > longest => Err(HoldLimitError::TooLong { key, longest }),
            Some(_) if hold < SHORTEST => Err(HoldLimitError::NoTime),
            Some(_) => Ok(hold),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    use crate::{UnknownKeyPolicy, parse};

    fn asked(limit: Option<&str>, given: &str) -> Result<Option<Duration>, String> {
        let limit = limit.map(|limit| format!("job_max_hold = \"{limit}\"")).unwrap_or_default();
        let text = format!(
            "config_version = 1\n[defaults]\ncluster = \"ci\"\nsubnets = [\"subnet-1\"]\n\
             security_groups = [\"sg-1\"]\ntask_definition = \"ci\"\n{limit}"
        );
        let loaded = parse(&text, Path::new("c"), UnknownKeyPolicy::Refuse).unwrap();
        let profile = loaded.config.profile(None).unwrap();
        let lookup = |name: &str| (name == VARIABLE).then(|| given.into());
        profile.job_hold(ConfigGrammar::Own, lookup).map_err(|ignored| ignored.to_string())
    }

    #[test]
    fn a_job_gets_what_the_profile_allows_and_one_line_otherwise() {
        let minutes = |minutes| Ok(Some(Duration::from_mins(minutes)));
        assert_eq!(asked(Some("30m"), "30m"), minutes(30));
        assert_eq!(asked(Some("30m"), " 5min "), minutes(5));
        assert_eq!(asked(Some("30m"), ""), Ok(None));
        let line = |limit, given| asked(limit, given).unwrap_err();
        insta::assert_snapshot!(line(Some("30m"), "31m"), @r#"FARGATE_HOLD "31m" is ignored: `job_max_hold` in the runner's configuration allows at most 30m"#);
        insta::assert_snapshot!(line(None, "30m"), @r#"FARGATE_HOLD "30m" is ignored: `job_max_hold` is not set in the runner's configuration, so no task of a failed job is kept"#);
        for given in ["yes", "-1", "30", "0s", "999ms", "\x1b[2J", "99999999999999999999h"] {
            let line = line(Some("30m"), given);
            assert!(line.contains("a time of at least 1s is expected"), "{line}");
            assert!(!line.contains('\x1b'));
        }
    }
}
