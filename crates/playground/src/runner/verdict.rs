//! From the end of one call to the verdict on a job: gitlab-runner's table of exit codes.

use std::fmt;
use std::path::Path;

use super::control::CallStopReason;
use super::process::{DriverProcessExit, EndedCall};

/// `BUILD_FAILURE_EXIT_CODE`, as gitlab-runner sets it (`executors/custom/api/const.go`).
pub const BUILD_FAILURE: i32 = 1;
/// `SYSTEM_FAILURE_EXIT_CODE`, as gitlab-runner sets it.
pub const SYSTEM_FAILURE: i32 = 2;

/// What GitLab is told about a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GitLabVerdict {
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
pub enum StageFailure {
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
    Stopped(CallStopReason),
}

impl StageFailure {
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
    pub fn verdict(&self) -> GitLabVerdict {
        let (reason, exit_code) = match self {
            Self::Build { code } => (FailureReason::ScriptFailure, Some(*code)),
            Self::System(_)
            | Self::Configuration(_)
            | Self::Stopped(CallStopReason::RunnerStopped) => {
                (FailureReason::RunnerSystemFailure, None)
            }
            Self::Stopped(CallStopReason::Cancelled | CallStopReason::Aborted) => {
                (FailureReason::UnknownFailure, None)
            }
            Self::Stopped(CallStopReason::JobTimedOut | CallStopReason::CallTimedOut) => {
                (FailureReason::JobExecutionTimeout, None)
            }
        };
        GitLabVerdict::Failed { reason, exit_code }
    }
}

impl fmt::Display for StageFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Build { code } => write!(f, "exit status {code}"),
            Self::System(why) | Self::Configuration(why) => write!(f, "(system failure): {why}"),
            Self::Stopped(CallStopReason::Cancelled | CallStopReason::Aborted) => {
                f.write_str("canceled")
            }
            Self::Stopped(CallStopReason::RunnerStopped) => {
                f.write_str("(system failure): aborted: terminated")
            }
            Self::Stopped(CallStopReason::JobTimedOut) => f.write_str("execution took too long"),
            Self::Stopped(CallStopReason::CallTimedOut) => f.write_str("the script took too long"),
        }
    }
}

/// Reads how a call ended; `exit_code_file` is what `BUILD_EXIT_CODE_FILE` named.
///
/// # Errors
///
/// What kept the call from passing.
pub fn judge(ended: &EndedCall, exit_code_file: &Path) -> Result<(), StageFailure> {
    match (&ended.exit, ended.stopped) {
        (_, Some(stop)) => Err(StageFailure::Stopped(stop)),
        (DriverProcessExit::Code(0), None) => Ok(()),
        (DriverProcessExit::Code(BUILD_FAILURE), None) => Err(build_failure(exit_code_file)),
        (DriverProcessExit::Code(SYSTEM_FAILURE), None) => {
            Err(StageFailure::System("exit status 2".to_owned()))
        }
        (DriverProcessExit::Code(code), None) => Err(unknown(&format!("exit code {code}"))),
        (DriverProcessExit::Signal(signal), None) => Err(unknown(&format!("signal {signal}"))),
        (DriverProcessExit::NotStarted(why), None) => {
            Err(StageFailure::System(format!("failed to start command: {why}")))
        }
        (DriverProcessExit::GivenUp, None) => Err(unknown("process that did not end")),
    }
}

fn build_failure(exit_code_file: &Path) -> StageFailure {
    let Ok(content) = std::fs::read_to_string(exit_code_file) else {
        return StageFailure::Build { code: BUILD_FAILURE };
    };
    let first = content.lines().next().unwrap_or_default();
    match first.trim().parse() {
        Ok(code) => StageFailure::Build { code },
        Err(_) => unknown("exit code 2"),
    }
}

fn unknown(what: &str) -> StageFailure {
    StageFailure::System(format!("unknown Custom executor executable {what}"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn ended(exit: DriverProcessExit) -> EndedCall {
        EndedCall { exit, signals: Vec::new(), took: Duration::ZERO, stopped: None }
    }

    fn judged(code: i32, file: Option<&str>) -> Result<(), StageFailure> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("build_exit_code");
        if let Some(content) = file {
            std::fs::write(&path, content).unwrap();
        }
        judge(&ended(DriverProcessExit::Code(code)), &path)
    }

    #[test]
    fn the_first_line_of_the_file_is_the_exit_code() {
        assert_eq!(judged(1, Some("3\n")), Err(StageFailure::Build { code: 3 }));
        assert_eq!(judged(1, Some("-11\nrest")), Err(StageFailure::Build { code: -11 }));
        assert_eq!(judged(1, None), Err(StageFailure::Build { code: 1 }));
        assert_eq!(judged(0, Some("3")), Ok(()));
    }

    #[test]
    fn a_file_without_a_number_is_a_system_failure() {
        for content in ["", "three", "\n3"] {
            assert!(
                matches!(judged(1, Some(content)), Err(StageFailure::System(_))),
                "{content:?}"
            );
        }
    }

    #[test]
    fn every_other_end_is_a_system_failure() {
        let nowhere = Path::new("/nonexistent");
        let ends = [
            DriverProcessExit::Code(2),
            DriverProcessExit::Code(143),
            DriverProcessExit::Signal(9),
            DriverProcessExit::GivenUp,
            DriverProcessExit::NotStarted("argument list too long".to_owned()),
        ];
        for exit in ends {
            let failure = judge(&ended(exit), nowhere).unwrap_err();
            let expected = GitLabVerdict::Failed {
                reason: FailureReason::RunnerSystemFailure,
                exit_code: None,
            };
            assert_eq!(failure.verdict(), expected, "{failure}");
        }
    }

    #[test]
    fn the_exit_code_of_a_call_that_was_ended_does_not_count() {
        let ended = EndedCall {
            stopped: Some(CallStopReason::Cancelled),
            ..ended(DriverProcessExit::Code(1))
        };
        let failure = judge(&ended, Path::new("/nonexistent")).unwrap_err();
        assert_eq!(failure, StageFailure::Stopped(CallStopReason::Cancelled));
    }
}
