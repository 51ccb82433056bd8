//! The states of a task and the codes of its end, in ECS's words.
//!
//! A word that this version does not know is kept as text. What follows from a state is decided
//! elsewhere.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The state of a task.
///
/// Source: Amazon ECS Developer Guide, "Task lifecycle".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum TaskStatus {
    /// ECS creates the network interface.
    Provisioning,
    /// ECS pulls the image, reads secrets and mounts file systems.
    Pending,
    /// ECS registers the task with load balancers. Standalone tasks do not show this state.
    Activating,
    /// The containers run.
    Running,
    /// ECS removes the task from load balancers.
    Deactivating,
    /// ECS sent SIGTERM.
    Stopping,
    /// ECS removes the network interface.
    Deprovisioning,
    /// The task has ended.
    Stopped,
    /// The task has ended, and ECS will forget it soon.
    Deleted,
    /// A state that this version does not know.
    Other(String),
}

impl TaskStatus {
    /// Reads the word that ECS uses.
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

    /// Whether the task does not run yet, and is not about to end.
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

    /// Whether nothing of the task runs any more.
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

/// Who or what ended a task.
///
/// Source: Amazon ECS API Reference, `Task`, `stopCode`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum StopCode {
    /// The task never ran.
    TaskFailedToStart,
    /// A container's main process ended.
    EssentialContainerExited,
    /// Somebody called StopTask.
    UserInitiated,
    /// The scheduler of an ECS service; tasks of ours belong to none.
    ServiceSchedulerInitiated,
    /// AWS took the Spot task back.
    SpotInterruption,
    /// An older word for a notice of Spot or of maintenance.
    TerminationNotice,
    /// AWS replaced the machine under the task.
    InfrastructureHealth,
    /// A code that this version does not know.
    Other(String),
}

impl StopCode {
    /// Reads the word that ECS uses.
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

impl From<String> for StopCode {
    fn from(word: String) -> Self {
        Self::of(&word)
    }
}

impl From<StopCode> for String {
    fn from(code: StopCode) -> Self {
        code.to_string()
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

/// The name of a signal, of those that end scripts in practice. Other numbers above 128 are statuses of scripts
/// as well. Source: signal(7), x86 and ARM.
#[must_use]
pub fn signal_name(number: u8) -> Option<&'static str> {
    Some(match number {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        _ => return None,
    })
}
