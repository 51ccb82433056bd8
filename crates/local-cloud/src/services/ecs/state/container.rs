//! One container of a task: its status, and how it ended.

use fargate_model::task::TaskStatus;

use super::task_ending::CloudTaskEnding;
use crate::backend::container::{ContainerHealth, LocalContainer};

/// The exit code of a container without a process after its task ended: as if SIGTERM had ended it.
const TERMINATED: i32 = 143;

/// One container of a task.
#[derive(Clone, Debug)]
pub struct CloudContainer {
    pub arn: String,
    pub name: String,
    pub runtime_id: Option<String>,
    pub last_status: TaskStatus,
    pub exit_code: Option<i32>,
    pub reason: Option<String>,
    /// The digest of the image's manifest, where a registry gave one.
    pub image_digest: Option<String>,
    pub health: ContainerHealth,
    /// What can be seen of it on this machine, once it was started.
    pub local: Option<LocalContainer>,
}

impl CloudContainer {
    /// Notes that its first process ended, with what ECS says beside the code.
    pub fn exited(&mut self, code: i32, reason: Option<String>) {
        self.local.iter_mut().for_each(LocalContainer::end);
        self.exit_code = Some(code);
        self.reason = reason.or(self.reason.take());
        self.last_status = TaskStatus::Stopped;
    }

    /// Notes that it ended, and that nobody knows how.
    pub fn lost(&mut self) {
        self.local.iter_mut().for_each(LocalContainer::end);
        self.last_status = TaskStatus::Stopped;
    }

    /// Brings the container into the state that ECS shows after the task's end. A container that never
    /// ran has no exit code, unless a fault gives it one.
    pub fn end(&mut self, ending: &CloudTaskEnding) {
        // One that was lost has ended, but without a code.
        let runs = self.runtime_id.is_some() && self.last_status != TaskStatus::Stopped;
        self.exit_code = ending.exit_code.or(self.exit_code).or(runs.then_some(TERMINATED));
        if ending.container_reason.is_some() {
            self.reason.clone_from(&ending.container_reason);
        }
        self.local.iter_mut().for_each(LocalContainer::end);
        self.last_status = TaskStatus::Stopped;
    }
}
