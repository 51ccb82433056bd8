//! From the end of one call to the verdict on a job: gitlab-runner's table of exit codes.

use std::fmt;
use std::path::Path;

use super::control::Stop;
use super::process::{Ended, Exit};

/// `BUILD_FAILURE_EXIT_CODE`, as gitlab-runner sets it (`executors/custom/api/const.go`).
pub const BUILD_FAILURE: i32 = 1;
/// `SYSTEM_FAILURE_EXIT_CODE`, as gitlab-runner sets it.
pub const SYSTEM_FAILURE: i32 = 2;

/// What GitLab is told about a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The job passed.
    Success,
    /// It did not.
    Failed {
        /// GitLab's class of failure.
        reason: FailureReason,
        /// Exit code of the script, where the script failed.
        exit_code: Option<i32>,
    },
}

/// GitLab's class of a failure, in the part that can happen here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureReason {
    /// The job's own script failed.
    ScriptFailure,
    /// Everything but the script.
    RunnerSystemFailure,
    /// The job's or the script's time was over.
    JobExecutionTimeout,
    /// What is reported for a job that was cancelled.
    UnknownFailure,
}

impl fmt::Display for FailureReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ScriptFailure => "script_failure",
            Self::RunnerSystemFailure => "runner_system_failure",
            Self::JobExecutionTimeout => "job_execution_timeout",
            Self::UnknownFailure => "unknown_failure",
        })
    }
}

/// Why a stage, or the preparation, did not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The driver said that the job is to blame.
    Build {
        /// The script's exit code.
        code: i32,
    },
    /// The driver said that the system is to blame, or nobody could tell.
    System(String),
    /// The runner is not configured for this job; trying again would not help.
    Configuration(String),
    /// Someone, or the clock, ended it.
    Stopped(Stop),
}

impl Failure {
    /// Whether another try of the preparation is of no use.
    #[must_use]
    pub fn is_final(&self) -> bool {
        match self {
            Self::Build { .. } | Self::Configuration(_) => true,
            Self::System(_) => false,
            Self::Stopped(stop) => stop.ends_job(),
        }
    }

    /// What GitLab is told.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let (reason, exit_code) = match self {
            Self::Build { code } => (FailureReason::ScriptFailure, Some(*code)),
            Self::System(_) | Self::Configuration(_) | Self::Stopped(Stop::RunnerStopped) => {
                (FailureReason::RunnerSystemFailure, None)
            }
            Self::Stopped(Stop::Cancelled | Stop::Aborted) => (FailureReason::UnknownFailure, None),
            Self::Stopped(Stop::JobTimedOut | Stop::CallTimedOut) => {
                (FailureReason::JobExecutionTimeout, None)
            }
        };
        Verdict::Failed { reason, exit_code }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Build { code } => write!(f, "exit status {code}"),
            Self::System(why) | Self::Configuration(why) => write!(f, "(system failure): {why}"),
            Self::Stopped(Stop::Cancelled | Stop::Aborted) => f.write_str("canceled"),
            Self::Stopped(Stop::RunnerStopped) => {
                f.write_str("(system failure): aborted: terminated")
            }
            Self::Stopped(Stop::JobTimedOut) => f.write_str("execution took too long"),
            Self::Stopped(Stop::CallTimedOut) => f.write_str("the script took too long"),
        }
    }
}

/// Reads how a call ended; `exit_code_file` is what `BUILD_EXIT_CODE_FILE` named.
///
/// # Errors
///
/// What kept the call from passing.
pub fn judge(ended: &Ended, exit_code_file: &Path) -> Result<(), Failure> {
    match (&ended.exit, ended.stopped) {
        (_, Some(stop)) => Err(Failure::Stopped(stop)),
        (Exit::Code(0), None) => Ok(()),
        (Exit::Code(BUILD_FAILURE), None) => Err(build_failure(exit_code_file)),
        (Exit::Code(SYSTEM_FAILURE), None) => Err(Failure::System("exit status 2".to_owned())),
        (Exit::Code(code), None) => Err(unknown(&format!("exit code {code}"))),
        (Exit::Signal(signal), None) => Err(unknown(&format!("signal {signal}"))),
        (Exit::NotStarted(why), None) => {
            Err(Failure::System(format!("failed to start command: {why}")))
        }
        (Exit::GivenUp, None) => Err(unknown("process that did not end")),
    }
}

fn build_failure(exit_code_file: &Path) -> Failure {
    let Ok(content) = std::fs::read_to_string(exit_code_file) else {
        return Failure::Build { code: BUILD_FAILURE };
    };
    let first = content.lines().next().unwrap_or_default();
    match first.trim().parse() {
        Ok(code) => Failure::Build { code },
        Err(_) => unknown("exit code 2"),
    }
}

fn unknown(what: &str) -> Failure {
    Failure::System(format!("unknown Custom executor executable {what}"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn ended(exit: Exit) -> Ended {
        Ended { exit, signals: Vec::new(), took: Duration::ZERO, stopped: None }
    }

    fn judged(code: i32, file: Option<&str>) -> Result<(), Failure> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("build_exit_code");
        if let Some(content) = file {
            std::fs::write(&path, content).unwrap();
        }
        judge(&ended(Exit::Code(code)), &path)
    }

    #[test]
    fn the_first_line_of_the_file_is_the_exit_code() {
        assert_eq!(judged(1, Some("3\n")), Err(Failure::Build { code: 3 }));
        assert_eq!(judged(1, Some("-11\nrest")), Err(Failure::Build { code: -11 }));
        assert_eq!(judged(1, None), Err(Failure::Build { code: 1 }));
        assert_eq!(judged(0, Some("3")), Ok(()));
    }

    #[test]
    fn a_file_without_a_number_is_a_system_failure() {
        for content in ["", "three", "\n3"] {
            assert!(matches!(judged(1, Some(content)), Err(Failure::System(_))), "{content:?}");
        }
    }

    #[test]
    fn every_other_end_is_a_system_failure() {
        let nowhere = Path::new("/nonexistent");
        let ends = [
            Exit::Code(2),
            Exit::Code(143),
            Exit::Signal(9),
            Exit::GivenUp,
            Exit::NotStarted("argument list too long".to_owned()),
        ];
        for exit in ends {
            let failure = judge(&ended(exit), nowhere).unwrap_err();
            let expected =
                Verdict::Failed { reason: FailureReason::RunnerSystemFailure, exit_code: None };
            assert_eq!(failure.verdict(), expected, "{failure}");
        }
    }

    #[test]
    fn the_exit_code_of_a_call_that_was_ended_does_not_count() {
        let ended = Ended { stopped: Some(Stop::Cancelled), ..ended(Exit::Code(1)) };
        let failure = judge(&ended, Path::new("/nonexistent")).unwrap_err();
        assert_eq!(failure, Failure::Stopped(Stop::Cancelled));
    }
}
