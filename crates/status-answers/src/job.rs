//! One job: what happened to it, why, and where the time went.

use crate::WhyAnswer;
use serde::{Deserialize, Serialize};

/// `GET /api/v1/jobs/{id}`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct JobAnswer {
    /// What became of it, in one sentence.
    pub answer: String,
    /// Its key.
    pub key: String,
    /// Its id: `gl-4411`.
    pub id: String,
    /// Where it stands.
    pub state: JobStateWord,
    /// How it ended.
    pub verdict: Option<JobVerdictWord>,
    /// Its name.
    pub name: Option<String>,
    /// Its project's path.
    pub project: Option<String>,
    /// Branch or tag.
    pub git_ref: Option<String>,
    /// Commit.
    pub sha: Option<String>,
    /// Pipeline.
    pub pipeline: Option<u64>,
    /// Who started it on the forge.
    pub user: Option<String>,
    /// The profile.
    pub profile: Option<String>,
    /// The host that runs it.
    pub host: String,
    /// Its size, for people.
    pub size: Option<String>,
    /// `on demand` or `Spot`.
    pub capacity: Option<String>,
    /// Its zone.
    pub zone: Option<String>,
    /// The image as configured.
    pub image: Option<String>,
    /// Its digest.
    pub image_digest: Option<String>,
    /// Its page on the forge.
    pub forge_url: Option<String>,
    /// The page of its task in AWS's console.
    #[serde(default)]
    pub console_url: Option<String>,
    /// When it was received.
    pub received_ms: u64,
    /// When it was over.
    pub ended_ms: Option<u64>,
    /// From received until it was over, or until now.
    pub lived_ms: Option<u64>,
    /// From received until the task was ready.
    pub started_in_ms: Option<u64>,
    /// The usual time for that.
    pub usual_start_ms: Option<u64>,
    /// Estimated cost so far, all tries.
    pub cost_micro_usd: Option<u64>,
    /// How many jobs waited with it at the forge, as the forge says.
    pub queue_size: Option<u64>,
    /// The cause of its failure or wait.
    pub why: Option<WhyAnswer>,
    /// What followed from it.
    pub then: Vec<WhyAnswer>,
    /// Other jobs with this cause in the last 24 hours.
    pub same_cause_24h: u64,
    /// The try that is shown, from 1.
    pub attempt: usize,
    /// All tries.
    pub tries: Vec<TimelineTry>,
    /// The phases of the shown try, in order.
    pub timeline: Vec<TimelineRow>,
    /// Its stages, in order.
    pub stages: Vec<StageRow>,
    /// What one would tell AWS support.
    pub facts: Vec<JobDetail>,
    /// Its events, oldest first.
    pub events: Vec<JobEventLine>,
    /// The record is damaged after this moment.
    pub damaged_after_ms: Option<u64>,
    /// By how much ECS's times were moved, because its clock differs from this host's.
    pub clock_shift_ms: Option<i64>,
    /// Where a form of an operator stops its task; `None`: it has no live task, or this service stops none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_path: Option<String>,
}

/// One try.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TimelineTry {
    /// From 1.
    pub number: u32,
    /// How it ended: a verdict or a headline.
    pub verdict: Option<String>,
    /// When it began.
    pub started_ms: u64,
    /// When it ended.
    pub ended_ms: Option<u64>,
    /// Its phases with their lengths in ms.
    pub strip: Vec<(String, u64)>,
}

/// One bar of the timeline.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TimelineRow {
    /// Which phase.
    pub phase: TimelinePhase,
    /// Who held the job: `queue`, `AWS`, `runner`, `job`.
    pub owner: String,
    /// Its name for people.
    pub label: String,
    /// Its start; `None`: not reached, or not reported.
    pub from_ms: Option<u64>,
    /// Its end; `None` of a phase that has begun: it goes on.
    pub to_ms: Option<u64>,
    /// Whether ECS reported its times.
    pub is_reported: bool,
    /// Its usual length.
    pub usual_ms: Option<u64>,
    /// Moments on the bar: `refused`, `cut`, `resumed`.
    pub marks: Vec<(u64, String)>,
    /// The mark of a failure at its end: `failed`, `system`, `cancelled`, `timed out`, with its words.
    pub failed: Option<String>,
    /// What stands beside it: `412 MB`, `proven by STS`.
    pub note: Option<String>,
}

/// The phases of a job.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum TimelinePhase {
    /// It waits at the forge.
    #[default]
    Queued,
    /// It waits here: slot, pause, registration.
    Held,
    /// RunTask is called until a task is accepted.
    RunTask,
    /// The network interface is attached.
    Network,
    /// The image is pulled.
    Pull,
    /// Secrets, volumes, process.
    Start,
    /// The driver logs in.
    Agent,
    /// The host key is proven.
    Proof,
    /// A stage of GitLab's own.
    OwnStage,
    /// The job's script.
    Script,
    /// The task is stopped.
    Stop,
}

/// Where a job stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobStateWord {
    /// No task yet.
    #[default]
    Waiting,
    /// Its task starts.
    Starting,
    /// Scripts run.
    Running,
    /// Its task stops.
    Stopping,
    /// It is over.
    Finished,
}

/// How a job ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobVerdictWord {
    /// All scripts passed.
    #[default]
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

/// One stage.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct StageRow {
    /// gitlab-runner's own name.
    pub name: String,
    /// When it began.
    pub started_ms: u64,
    /// How long it took.
    pub took_ms: Option<u64>,
    /// Its exit status.
    pub exit: Option<u8>,
    /// What the status means: `128 + 9: ended by SIGKILL`.
    pub exit_meaning: Option<String>,
    /// Bytes of output.
    pub output_bytes: u64,
    /// How often it was cut and resumed.
    pub resumed: u32,
    /// `passed`, `failed`, `system failure`, `cancelled`, `timed out`.
    pub verdict: Option<String>,
}

/// One fact with its name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct JobDetail {
    /// `task`, `subnet`, `host key` ...
    pub name: String,
    /// Its value.
    pub value: String,
}

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct JobEventLine {
    /// When.
    pub at_ms: u64,
    /// Its name: `task.accepted`.
    pub name: String,
    /// Its fields, for people, without secrets.
    pub text: String,
}
