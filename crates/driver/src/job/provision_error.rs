//! Why no task was brought up. It chooses no exit code.

use fargate_model::cause::CauseReport;
use fargate_state::StateError;

use super::cancelled_task::CancelledTask;
use crate::task::LaunchError;

/// Why there is no task.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    /// A cause of the catalogue.
    #[error("{}", .0.headline())]
    Why(Box<CauseReport>),
    /// A signal came.
    #[error("cancelled{task}")]
    Cancelled {
        /// What became of the task.
        task: CancelledTask,
    },
}

impl From<CauseReport> for ProvisionError {
    fn from(why: CauseReport) -> Self {
        Self::Why(Box::new(why))
    }
}

impl From<StateError> for ProvisionError {
    fn from(error: StateError) -> Self {
        error.why().into()
    }
}

impl From<LaunchError> for ProvisionError {
    fn from(error: LaunchError) -> Self {
        match error {
            LaunchError::Why(why) => Self::Why(why),
            LaunchError::State(error) => error.into(),
        }
    }
}
