//! Two clocks for one judgement: this host's and ECS's. A deadline counts as passed once both say so, because
//! the clock of a host may be set by years at any moment, and nobody sets that of ECS with it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fargate_driver::task::ObservedTask;

/// What both clocks show at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JudgeClock {
    /// This host's clock.
    pub host: SystemTime,
    /// ECS's clock. `None` if the cluster did not answer; then nothing has passed.
    pub ecs: Option<SystemTime>,
}

impl JudgeClock {
    /// Whether both clocks are past this moment, in seconds since 1970, by more than `margin`.
    pub fn is_past(self, unix_s: u64, margin: Duration) -> bool {
        let end = Duration::from_secs(unix_s).saturating_add(margin);
        let is_past = |now: SystemTime| now.duration_since(UNIX_EPOCH).unwrap_or_default() > end;
        is_past(self.host) && self.ecs.is_some_and(is_past)
    }

    /// The time since ECS accepted the task, by its own clock.
    pub fn age(self, task: &ObservedTask) -> Option<Duration> {
        self.ecs?.duration_since(task.timeline.created?).ok()
    }
}
