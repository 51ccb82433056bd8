//! Why a task ends, and how its containers are stopped.

use std::time::Duration;

/// Why and how a task ends.
#[derive(Clone, Debug, PartialEq)]
pub struct CloudTaskEnding {
    pub stop_code: String,
    pub stopped_reason: String,
    pub container_reason: Option<String>,
    /// The exit code of every container, in place of the true ones.
    pub exit_code: Option<i32>,
    /// SIGKILL at once instead of SIGTERM first.
    pub at_once: bool,
    /// AWS takes its capacity back: the task shows RUNNING until its containers have ended.
    pub interrupted: bool,
    /// The time from SIGTERM to SIGKILL; `None` for the `stopTimeout` of each container.
    pub grace: Option<Duration>,
}

/// What ECS says of a task whose capacity Fargate Spot takes back.
///
/// Source: Amazon ECS Developer Guide, "Amazon ECS clusters for Fargate", termination notices.
const SPOT: (&str, &str) = ("SpotInterruption", "Your Spot Task was interrupted.");

impl CloudTaskEnding {
    /// Fargate Spot takes its capacity back.
    pub fn spot(grace: Option<Duration>) -> Self {
        let (stop_code, stopped_reason) = SPOT;
        Self { interrupted: true, grace, ..Self::gentle(stop_code, stopped_reason) }
    }

    /// What ran the containers is gone, as when a host of Fargate fails.
    pub fn machine_lost() -> Self {
        let reason = "What ran the containers of the task does not answer any more.";
        Self { at_once: true, ..Self::gentle("InfrastructureHealth", reason) }
    }

    /// An end with SIGTERM first, and without a reason at the containers.
    pub fn gentle(stop_code: &str, stopped_reason: &str) -> Self {
        Self {
            stop_code: stop_code.to_owned(),
            stopped_reason: stopped_reason.to_owned(),
            container_reason: None,
            exit_code: None,
            at_once: false,
            interrupted: false,
            grace: None,
        }
    }
}
