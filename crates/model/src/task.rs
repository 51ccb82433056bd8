//! The states of a task and why it stopped, as ECS words them; what is not known is kept as text.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a task stands in its life.
///
/// Source: Amazon ECS Developer Guide, "Task lifecycle".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum TaskStatus {
    /// The network interface is being made.
    Provisioning,
    /// Image pull, secrets, file systems.
    Pending,
    /// Load balancer or service discovery; not seen on standalone tasks.
    Activating,
    /// The containers run.
    Running,
    /// Leaves load balancers.
    Deactivating,
    /// SIGTERM was sent.
    Stopping,
    /// The network interface is being removed.
    Deprovisioning,
    /// Over.
    Stopped,
    /// Over, and soon forgotten.
    Deleted,
    /// A state that this version does not know.
    Other(String),
}

impl TaskStatus {
    /// Reads ECS's word.
    #[must_use]
    pub fn of(word: &str) -> Self {
        match word {
            "PROVISIONING" => Self::Provisioning,
            "PENDING" => Self::Pending,
            "ACTIVATING" => Self::Activating,
            "RUNNING" => Self::Running,
            "DEACTIVATING" => Self::Deactivating,
            "STOPPING" => Self::Stopping,
            "DEPROVISIONING" => Self::Deprovisioning,
            "STOPPED" => Self::Stopped,
            "DELETED" => Self::Deleted,
            other => Self::Other(other.to_owned()),
        }
    }

    /// Not running yet, and not on its way out.
    #[must_use]
    pub fn is_starting(&self) -> bool {
        match self {
            Self::Provisioning | Self::Pending | Self::Activating | Self::Other(_) => true,
            Self::Running
            | Self::Deactivating
            | Self::Stopping
            | Self::Deprovisioning
            | Self::Stopped
            | Self::Deleted => false,
        }
    }

    /// Nothing of it runs any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self, Self::Stopped | Self::Deleted | Self::Deprovisioning)
    }
}

impl fmt::Display for TaskStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Provisioning => "PROVISIONING",
            Self::Pending => "PENDING",
            Self::Activating => "ACTIVATING",
            Self::Running => "RUNNING",
            Self::Deactivating => "DEACTIVATING",
            Self::Stopping => "STOPPING",
            Self::Deprovisioning => "DEPROVISIONING",
            Self::Stopped => "STOPPED",
            Self::Deleted => "DELETED",
            Self::Other(word) => return f.write_str(&crate::text::escape_within(word, 40)),
        })
    }
}

impl From<String> for TaskStatus {
    fn from(word: String) -> Self {
        Self::of(&word)
    }
}

impl From<TaskStatus> for String {
    fn from(status: TaskStatus) -> Self {
        status.to_string()
    }
}

/// Who ended a task.
///
/// Source: Amazon ECS API Reference, `Task`, `stopCode`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StopCode {
    /// It never ran.
    TaskFailedToStart,
    /// A process of the task ended.
    EssentialContainerExited,
    /// StopTask was called.
    UserInitiated,
    /// A service's scheduler; not ours.
    ServiceSchedulerInitiated,
    /// Spot took it back.
    SpotInterruption,
    /// Older word for a Spot or maintenance notice.
    TerminationNotice,
    /// The machine under it was replaced.
    InfrastructureHealth,
    /// A code that this version does not know.
    Other(String),
}

impl StopCode {
    /// Reads ECS's word.
    #[must_use]
    pub fn of(word: &str) -> Self {
        match word {
            "TaskFailedToStart" => Self::TaskFailedToStart,
            "EssentialContainerExited" => Self::EssentialContainerExited,
            "UserInitiated" => Self::UserInitiated,
            "ServiceSchedulerInitiated" => Self::ServiceSchedulerInitiated,
            "SpotInterruption" => Self::SpotInterruption,
            "TerminationNotice" => Self::TerminationNotice,
            "InfrastructureHealth" => Self::InfrastructureHealth,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl fmt::Display for StopCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TaskFailedToStart => "TaskFailedToStart",
            Self::EssentialContainerExited => "EssentialContainerExited",
            Self::UserInitiated => "UserInitiated",
            Self::ServiceSchedulerInitiated => "ServiceSchedulerInitiated",
            Self::SpotInterruption => "SpotInterruption",
            Self::TerminationNotice => "TerminationNotice",
            Self::InfrastructureHealth => "InfrastructureHealth",
            Self::Other(word) => return f.write_str(&crate::text::escape_within(word, 40)),
        })
    }
}
