//! The history of a task: the values that change, as they were at earlier moments.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::SystemTime;

use fargate_model::task::TaskStatus;

use super::container::CloudContainer;
use super::network_interface::TaskNetworkInterface;
use super::task_ending::CloudTaskEnding;
use super::task_times::CloudTaskTimes;

/// The earlier moments of a task, oldest first.
#[derive(Clone, Default)]
pub struct TaskHistory(pub(super) VecDeque<Arc<TaskSnapshot>>);

/// The values of a task that change, as they were until a moment.
pub struct TaskSnapshot {
    pub(super) until: SystemTime,
    pub(super) containers: Vec<CloudContainer>,
    pub(super) interface: TaskNetworkInterface,
    pub(super) last_status: TaskStatus,
    pub(super) version: u64,
    pub(super) times: CloudTaskTimes,
    pub(super) ending: Option<CloudTaskEnding>,
}
