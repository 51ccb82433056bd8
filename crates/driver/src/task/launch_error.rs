//! Why a source gave no task.

use fargate_model::cause::CauseReport;
use fargate_state::StateError;

/// Why there is no task.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// A cause of the catalogue.
    #[error("{}", .0.headline())]
    Why(Box<CauseReport>),
    /// The launch could not be written, or another process took the job over.
    #[error(transparent)]
    State(#[from] StateError),
}

impl From<CauseReport> for LaunchError {
    fn from(why: CauseReport) -> Self {
        Self::Why(Box::new(why))
    }
}
