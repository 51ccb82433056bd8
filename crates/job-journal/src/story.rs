//! The story of one job as a value. How entries of the journal change it stands beside it.

use fargate_events::{JobDescription, StageVerdict};
use fargate_model::cause::CauseReport;
use serde::{Deserialize, Serialize};

/// Where a job stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Received, and no task of it was accepted yet: it waits for a slot, capacity, quota, or a person.
    #[default]
    Waiting,
    /// ECS accepted a task, and its first script has not begun.
    Starting,
    /// Scripts run in its task.
    Running,
    /// Its task is being stopped.
    Stopping,
    /// It is over.
    Finished,
}

/// How a finished job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobVerdict {
    /// All scripts passed.
    Passed,
    /// A script failed by itself.
    Failed,
    /// Anything else failed.
    SystemFailure,
    /// Its time was over.
    TimedOut,
    /// Somebody cancelled it.
    Cancelled,
}

impl JobState {
    /// The word for it, in texts, JSON, labels and the history.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Finished => "finished",
        }
    }
}

impl JobVerdict {
    /// The word for it, in JSON, labels and the history.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::SystemFailure => "system_failure",
            Self::TimedOut => "timed_out",
            Self::Cancelled => "cancelled",
        }
    }
}

/// One job from received to stopped. Times are milliseconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct JobStory {
    /// The job's key: 64 hexadecimal digits.
    pub key: String,
    /// Who it is and what it gets; of its last try.
    pub description: JobDescription,
    /// Where it stands.
    pub state: JobState,
    /// How it ended, if it is over.
    pub verdict: Option<JobVerdict>,
    /// Its first event.
    pub received_ms: u64,
    /// Its last event.
    pub changed_ms: u64,
    /// When it was over.
    pub ended_ms: Option<u64>,
    /// Its tries, in order. At least one.
    pub tries: Vec<TryStory>,
    /// Entries that the reader did not know.
    pub unknown_entries: u64,
    /// Bytes after the last whole line, or lines whose checksum is wrong: the job is shown up to there.
    pub damaged_after_ms: Option<u64>,
}

/// One `prepare` and what followed it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TryStory {
    /// From 1.
    pub number: u32,
    /// The process that prepared it: two tries have two.
    pub process: u32,
    /// When `prepare` took it up.
    pub received_ms: u64,
    /// When it was let through: not held, no other `prepare`.
    pub admitted_ms: Option<u64>,
    /// The first RunTask.
    pub first_launch_ms: Option<u64>,
    /// Why it waits before its first launch, and since when. Empty once it is let through.
    pub waits: Option<(u64, CauseReport)>,
    /// Launches that ECS refused, with their times and reports: the first, and the last 99.
    pub refusals: Vec<(u64, CauseReport)>,
    /// How many launches ECS refused.
    pub refused_launches: u64,
    /// When ECS accepted the task.
    pub accepted_ms: Option<u64>,
    /// The task's ARN.
    pub task: Option<String>,
    /// Its subnet.
    pub subnet: Option<String>,
    /// The security groups that the launch named.
    pub security_groups: Vec<String>,
    /// The task definition.
    pub definition: Option<String>,
    /// The capacity provider that the launch named.
    pub asked_capacity: Option<String>,
    /// The client token of the last launch.
    pub launch: Option<String>,
    /// What ECS said of the task last.
    pub times: TaskTimes,
    /// When the address was known to this host.
    pub address_known_ms: Option<u64>,
    /// When the login succeeded.
    pub login_ms: Option<u64>,
    /// When the host key was proven, and how.
    pub proven_ms: Option<u64>,
    /// How the host key was proven.
    pub proof: Option<String>,
    /// What answered: agent or sshd, with its version.
    pub peer: Option<String>,
    /// When `prepare` was done.
    pub ready_ms: Option<u64>,
    /// When `prepare` failed.
    pub failed_ms: Option<u64>,
    /// Its stages, in order.
    pub stages: Vec<StageStory>,
    /// Cuts and resumes of the connection: time, and whether it was a resume.
    pub cuts: Vec<(u64, bool)>,
    /// When StopTask was accepted.
    pub stopping_ms: Option<u64>,
    /// When `cleanup` was done.
    pub cleaned_up_ms: Option<u64>,
    /// Why it failed: the first is the cause, the rest followed.
    pub causes: Vec<CauseReport>,
    /// Whether gitlab-runner does not try again.
    pub is_final: bool,
    /// Estimated cost in millionths of a US dollar, or `None` if a price is missing.
    pub cost_micro_usd: Option<u64>,
    /// Of it: the image's way through a NAT gateway.
    pub nat_micro_usd: u64,
    /// The key of the price that is missing, if one is.
    pub missing_price: Option<String>,
}

/// What ECS says of a task; see `TaskFact` for each field.
pub type TaskTimes = fargate_events::TaskFact;

/// One `run`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StageStory {
    /// gitlab-runner's own name.
    pub name: String,
    /// When it began.
    pub started_ms: u64,
    /// When it ended.
    pub ended_ms: Option<u64>,
    /// The script's exit status.
    pub exit: Option<u8>,
    /// Bytes of output that were passed on.
    pub output_bytes: u64,
    /// How often the connection was cut and resumed.
    pub resumed: u32,
    /// How it ended.
    pub verdict: Option<StageVerdict>,
}
