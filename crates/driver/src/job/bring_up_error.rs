//! Why a job has no task, in the words of the catalogue. It chooses no exit code.

use fargate_model::cause::CauseReport;
use fargate_state::{HostError, StateError};

use super::cancelled_task::CancelledTask;
use super::provision_error::ProvisionError;

/// Why a job has no task.
#[derive(Debug, thiserror::Error)]
pub enum BringUpError {
    /// A cause of the catalogue.
    #[error("{}", .0.headline())]
    Why(Box<CauseReport>),
    /// The first try failed for a lasting reason, so this one started nothing.
    #[error("{}", fargate_model::cause::RepeatedCause(.0))]
    SameAsBefore(Box<CauseReport>),
    /// The job was cancelled.
    #[error("cancelled{task}")]
    Cancelled {
        /// What became of the task.
        task: CancelledTask,
    },
}

impl From<CauseReport> for BringUpError {
    fn from(why: CauseReport) -> Self {
        Self::Why(Box::new(why))
    }
}

impl From<StateError> for BringUpError {
    fn from(error: StateError) -> Self {
        error.why().into()
    }
}

impl From<HostError> for BringUpError {
    fn from(error: HostError) -> Self {
        StateError::from(error).into()
    }
}

impl From<ProvisionError> for BringUpError {
    fn from(error: ProvisionError) -> Self {
        match error {
            ProvisionError::Why(why) => Self::Why(why),
            ProvisionError::Cancelled { task } => Self::Cancelled { task },
        }
    }
}
