//! The four stages of GitLab's custom executor.
//!
//! The contract: gitlab-runner's documentation "The Custom executor" and what a real gitlab-runner
//! was seen to do. Each stage is a process of its own; `run` and `prepare` say how they ended by
//! their exit code alone.

mod admission;
mod cleanup;
mod config;
mod environment;
mod joblog;
mod prepare;
mod response;
mod run;

use fargate_model::cause::CauseReport;

pub use cleanup::cleanup;
pub use config::config;
pub use environment::{
    EnvironmentError, ExitCodes, FALLBACK_CODES, StageEnvironment, job_variable,
};
pub use joblog::run_line;
pub use prepare::prepare;
pub use response::{JobResponse, ResponseError};
pub use run::run;

use crate::provision::CancelledTask;
use fargate_state::{HostError, StateError};

/// How a stage ended, if not well.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// The script failed; its status is what GitLab is told.
    #[error("the script failed with exit {status}")]
    Script {
        /// 128 + n for a signal.
        status: u8,
    },
    /// The job ended its own task.
    #[error("{}", why.headline())]
    Job {
        /// Never 0.
        status: u8,
        /// Why.
        why: Box<CauseReport>,
    },
    /// Ours, AWS's or a person's doing.
    #[error("{}", .0.headline())]
    System(Box<CauseReport>),
    /// The first try failed for good, so this one was not made.
    #[error("{}", fargate_model::cause::RepeatedCause(.0))]
    SameAsBefore(Box<CauseReport>),
    /// Someone cancelled.
    #[error("cancelled{}", task.as_ref().map(ToString::to_string).unwrap_or_default())]
    Cancelled {
        /// What became of the task, in `prepare`.
        task: Option<CancelledTask>,
    },
    /// The environment that gitlab-runner gives is not as its contract says.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// The job's response file.
    #[error(transparent)]
    Response(#[from] ResponseError),
    /// The script file that gitlab-runner names.
    #[error("reading the script {}", path.display())]
    ScriptFile {
        /// Its path.
        path: std::path::PathBuf,
        /// The operating system's words.
        #[source]
        source: std::io::Error,
    },
}

impl From<CauseReport> for StageError {
    fn from(why: CauseReport) -> Self {
        Self::System(Box::new(why))
    }
}

impl From<StateError> for StageError {
    fn from(error: StateError) -> Self {
        Self::System(Box::new(error.why()))
    }
}

impl From<HostError> for StageError {
    fn from(error: HostError) -> Self {
        StateError::from(error).into()
    }
}

impl StageError {
    /// Who is to blame, and so the exit code. No wildcard: a new error must choose.
    #[must_use]
    pub fn exit_code(&self, codes: ExitCodes) -> u8 {
        match self {
            Self::Script { .. } | Self::Job { .. } => codes.build_failure,
            Self::System(_)
            | Self::SameAsBefore(_)
            | Self::Cancelled { .. }
            | Self::Environment(_)
            | Self::Response(_)
            | Self::ScriptFile { .. } => codes.system_failure,
        }
    }

    /// What `BUILD_EXIT_CODE_FILE` is to hold.
    #[must_use]
    pub fn build_exit_code(&self) -> Option<u8> {
        match self {
            Self::Script { status } | Self::Job { status, .. } => Some(*status),
            Self::System(_)
            | Self::SameAsBefore(_)
            | Self::Cancelled { .. }
            | Self::Environment(_)
            | Self::Response(_)
            | Self::ScriptFile { .. } => None,
        }
    }

    /// The cause, where the catalogue has one.
    #[must_use]
    pub fn why(&self) -> Option<&CauseReport> {
        match self {
            Self::Job { why, .. } | Self::System(why) | Self::SameAsBefore(why) => Some(why),
            Self::Script { .. }
            | Self::Cancelled { .. }
            | Self::Environment(_)
            | Self::Response(_)
            | Self::ScriptFile { .. } => None,
        }
    }
}
