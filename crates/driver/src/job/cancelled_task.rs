//! What a cancelled start says about its task.
//!
//! It says only what is known, and asks nobody.

use fargate_state::JobRecord;

use crate::task::TaskReleaseReport;

/// What is known of the task of a cancelled start. A task is named by the first 8 characters of its
/// id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CancelledTask {
    /// No task was started.
    NotStarted,
    /// ECS is stopping it.
    Stopping(String),
    /// Nobody could stop it yet. The record names it.
    NotStopped(String),
    /// ECS did not say whether a task was started. The record names the launch.
    Unknown,
}

impl std::fmt::Display for CancelledTask {
    /// Writes the words that follow "cancelled".
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotStarted => f.write_str(": no task was started"),
            Self::Stopping(task) => write!(f, ": task {task} is being stopped"),
            Self::NotStopped(task) => {
                write!(f, ": task {task} could not be stopped yet, the clean-up tries again")
            }
            Self::Unknown => f.write_str(
                ": ECS did not say whether a task was started, the clean-up asks again and stops it",
            ),
        }
    }
}

impl CancelledTask {
    /// What became of the launches of `record`.
    pub(super) fn of(record: &JobRecord, released: &TaskReleaseReport) -> Self {
        let task = record.location.task.as_ref().or(released.stopped.first());
        match (task, released.undone.is_empty()) {
            (Some(task), true) => Self::Stopping(task.short()),
            (Some(task), false) => Self::NotStopped(task.short()),
            (None, true) => Self::NotStarted,
            (None, false) => Self::Unknown,
        }
    }
}
