//! What a history that began anew still has to learn: of tasks that only records and ECS know.

use fargate_events::TaskFact;
use tokio::sync::watch;

/// A task that ECS knows, and whose job it is.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownTask {
    /// The job's key: the task's variable `FARGATE_RUNNER_JOB`.
    pub key: String,
    /// The job's id, if a record or a tag has it.
    pub id: Option<String>,
    /// What ECS says of the task.
    pub task: TaskFact,
}

/// What is still to be learned from records and from ECS. A process that is killed in between begins again.
#[derive(Debug)]
pub(crate) struct RebuildDue {
    pub(crate) records: bool,
    pub(crate) from_ecs: bool,
    /// What ECS says, once it was asked.
    pub(crate) tasks: Option<watch::Receiver<Option<Vec<KnownTask>>>>,
}

impl Default for RebuildDue {
    fn default() -> Self {
        Self { records: true, from_ecs: true, tasks: None }
    }
}

impl RebuildDue {
    /// The history began anew.
    pub(crate) fn begin_again(&mut self) {
        (self.records, self.from_ecs) = (true, true);
    }
}
