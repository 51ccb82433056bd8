//! When a task reached each of its states.

use std::time::SystemTime;

/// The time of each event in the life of a task, once it happened.
#[derive(Clone, Copy, Debug)]
pub struct CloudTaskTimes {
    pub created: SystemTime,
    pub connected: Option<SystemTime>,
    pub pull_started: Option<SystemTime>,
    pub pull_stopped: Option<SystemTime>,
    pub started: Option<SystemTime>,
    pub stopping: Option<SystemTime>,
    pub execution_stopped: Option<SystemTime>,
    pub stopped: Option<SystemTime>,
}

impl CloudTaskTimes {
    pub fn created(created: SystemTime) -> Self {
        Self {
            created,
            connected: None,
            pull_started: None,
            pull_stopped: None,
            started: None,
            stopping: None,
            execution_stopped: None,
            stopped: None,
        }
    }
}
