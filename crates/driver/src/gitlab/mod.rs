//! The four stages of GitLab's custom executor.
//!
//! They follow gitlab-runner's documentation "The Custom executor", and what a real gitlab-runner
//! was seen to do. Each stage is a process of its own. `run` and `prepare` report by their exit
//! code alone. What is not GitLab's, such as the life of a job and its task, is done in `job`.

mod cleanup;
mod config;
mod environment;
mod forge_description;
#[cfg(test)]
mod hostile_jobs;
mod job_profile;
mod joblog;
mod prepare;
mod response;
mod run;
mod shared_folders;
mod stage_facts;
mod traces;
mod unmet_requests;

use fargate_model::cause::CauseReport;

pub use cleanup::cleanup;
pub use config::config;
pub use environment::{
    EnvironmentError, ExitCodes, FALLBACK_CODES, StageEnvironment, job_variable,
};
pub use job_profile::{
    JobProfileError, any_profile, chosen_profile, not_begun, profile_of_record, recorded_profile,
};
pub use joblog::run_line;
pub use prepare::{prepare, refuse};
pub use response::{ForgeFacts, JobResponse, ResponseError};
pub use run::run;
pub use shared_folders::with_own_folders;
pub use traces::job_traces;
pub use unmet_requests::{UnmetRequests, apply_requests};

use crate::job::{BringUpError, CancelledTask};
use fargate_state::{HostError, StateError};

/// Why a stage failed.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// The script failed. GitLab gets its status.
    #[error("the script failed with exit {status}")]
    Script {
        /// The status; 128 + n for a signal.
        status: u8,
    },
    /// The job ended its own task.
    #[error("{}", why.headline())]
    Job {
        /// The status, never 0.
        status: u8,
        /// The cause.
        why: Box<CauseReport>,
    },
    /// Caused by us, by AWS or by a person.
    #[error("{}", .0.headline())]
    System(Box<CauseReport>),
    /// The job may not have what it asks for, or no profile is for it. gitlab-runner would try a system
    /// failure twice more, and the answer would be the same.
    #[error("{}", .0.headline())]
    Refused(Box<CauseReport>),
    /// The first try failed for a lasting reason, so this one started nothing.
    #[error("{}", fargate_model::cause::RepeatedCause(.0))]
    SameAsBefore(Box<CauseReport>),
    /// Somebody cancelled.
    #[error("cancelled{}", task.as_ref().map(ToString::to_string).unwrap_or_default())]
    Cancelled {
        /// What became of the task, in `prepare`.
        task: Option<CancelledTask>,
    },
    /// The environment does not follow gitlab-runner's contract.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// The job's response file cannot be used.
    #[error(transparent)]
    Response(#[from] ResponseError),
    /// The script file that gitlab-runner names cannot be read.
    #[error("reading the script {}", path.display())]
    ScriptFile {
        /// Its path.
        path: std::path::PathBuf,
        /// The error of the operating system.
        #[source]
        source: std::io::Error,
    },
}

impl From<CauseReport> for StageError {
    fn from(why: CauseReport) -> Self {
        Self::System(Box::new(why))
    }
}

impl From<BringUpError> for StageError {
    fn from(error: BringUpError) -> Self {
        match error {
            BringUpError::Why(why) => Self::System(why),
            BringUpError::SameAsBefore(why) => Self::SameAsBefore(why),
            BringUpError::Cancelled { task } => Self::Cancelled { task: Some(task) },
        }
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
    /// The exit code, which says who is to blame. The match has no wildcard, so a new error must
    /// choose.
    #[must_use]
    pub fn exit_code(&self, codes: ExitCodes) -> u8 {
        match self {
            Self::Script { .. } | Self::Job { .. } | Self::Refused(_) => codes.build_failure,
            Self::System(_)
            | Self::SameAsBefore(_)
            | Self::Cancelled { .. }
            | Self::Environment(_)
            | Self::Response(_)
            | Self::ScriptFile { .. } => codes.system_failure,
        }
    }

    /// The content for `BUILD_EXIT_CODE_FILE`.
    #[must_use]
    pub fn build_exit_code(&self) -> Option<u8> {
        match self {
            Self::Script { status } | Self::Job { status, .. } => Some(*status),
            Self::System(_)
            | Self::Refused(_)
            | Self::SameAsBefore(_)
            | Self::Cancelled { .. }
            | Self::Environment(_)
            | Self::Response(_)
            | Self::ScriptFile { .. } => None,
        }
    }

    /// The cause, if the catalogue has one.
    #[must_use]
    pub fn why(&self) -> Option<&CauseReport> {
        match self {
            Self::Job { why, .. }
            | Self::System(why)
            | Self::Refused(why)
            | Self::SameAsBefore(why) => Some(why),
            Self::Script { .. }
            | Self::Cancelled { .. }
            | Self::Environment(_)
            | Self::Response(_)
            | Self::ScriptFile { .. } => None,
        }
    }
}
