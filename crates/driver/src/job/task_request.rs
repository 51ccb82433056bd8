//! What a caller asks for when it wants a task for a job. It holds facts, and asks nobody.

use std::collections::BTreeMap;
use std::time::Duration;

use fargate_events::JobDescription;
use fargate_model::job::JobKey;
use fargate_state::{RunnerProcess, TaskOrigin};

/// What is asked for.
#[derive(Clone, Debug)]
pub struct TaskRequest {
    /// Who asks.
    pub origin: TaskOrigin,
    /// The job's key.
    pub job: JobKey,
    /// The job's name for people.
    pub job_id: String,
    /// The task ends after this time in any case.
    pub lifetime: Duration,
    /// The task ends if no client is connected for this long.
    pub idle: Duration,
    /// Tags in addition to those of every task. The names have no prefix.
    pub tags: BTreeMap<&'static str, String>,
    /// The path of the job's project, where the forge itself says it.
    pub project: Option<String>,
    /// Whether the job runs for a protected branch or tag.
    pub is_protected: bool,
    /// How long the task is kept if the job fails.
    pub hold: Option<Duration>,
    /// Who the job is, for its history.
    pub description: Box<JobDescription>,
    /// The process that calls the stages.
    pub manager: Option<RunnerProcess>,
}
