//! What happens now: what waits and why, what starts, what runs, what failed in the last hour, and which
//! limit is next.

use crate::WhyAnswer;
use serde::{Deserialize, Serialize};

/// `GET /api/v1/now`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct NowAnswer {
    /// The one sentence that matters most now.
    pub answer: String,
    /// Whether somebody must act on it.
    pub needs_action: bool,
    /// When this was true: milliseconds since 1970.
    pub at_ms: u64,
    /// The host that answers.
    pub host: String,
    /// All hosts that the history knows.
    pub hosts: Vec<String>,
    /// The Region.
    pub region: Option<String>,
    /// The cluster.
    pub cluster: Option<String>,
    /// For how long ECS has not answered, if it does not.
    pub ecs_silent_ms: Option<u64>,
    /// What ECS or the network said then.
    pub ecs_error: Option<String>,
    /// Who paused the intake.
    pub paused_by: Option<String>,
    /// Why.
    pub paused_note: Option<String>,
    /// Since when.
    pub paused_since_ms: Option<u64>,
    /// How many in each state.
    pub counts: StateCounts,
    /// What stops the next job first.
    pub limits: Vec<LimitRow>,
    /// RunTask calls of the last 10 minutes that found no capacity, those of jobs that are over among them.
    pub refused_capacity: u64,
    /// RunTask calls of the last 10 minutes that were throttled, those of jobs that are over among them.
    pub refused_throttled: u64,
    /// Orphans stopped since 00:00 UTC.
    pub orphans_today: u64,
    /// Until when Spot is left alone.
    pub spot_paused_until_ms: Option<u64>,
    /// Groups of failures and waits, gravest first. At most 7.
    pub attention: Vec<AttentionRow>,
    /// Groups that are left out.
    pub more_causes: u64,
    /// Oldest first. All of them.
    pub waiting: Vec<WaitingRow>,
    /// Oldest first.
    pub starting: Vec<StartingRow>,
    /// Longest first.
    pub running: Vec<RunningRow>,
    /// Whether no job was ever recorded.
    #[serde(default)]
    pub is_first_use: bool,
    /// Whether new jobs are held so that the host becomes idle.
    #[serde(default)]
    pub is_draining: bool,
    /// What gitlab-runner says of itself; `None`: nobody asks it.
    #[serde(default)]
    pub gitlab_runner: Option<RunnerNumbers>,
}

/// What gitlab-runner says of itself at its own `/metrics`. A number that it does not tell is `None`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RunnerNumbers {
    /// When it said so; `None`: it has not answered yet.
    pub heard_ms: Option<u64>,
    /// Why it did not answer the last time, if it did not.
    pub error: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// Jobs that it runs now.
    pub jobs: Option<u64>,
    /// Jobs that it may run at one time: `concurrent`.
    pub concurrent: Option<u64>,
    /// Requests for a job that it has open.
    pub requests: Option<u64>,
    /// How often it wanted more requests than `request_concurrency` allows, since its start.
    pub requests_exceeded: Option<u64>,
    /// Errors since its start; warnings do not count.
    pub errors: Option<u64>,
}

/// How many jobs are in each state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct StateCounts {
    /// Jobs without a task.
    pub waiting: u64,
    /// The longest wait.
    pub oldest_wait_ms: Option<u64>,
    /// Jobs whose task starts.
    pub starting: u64,
    /// The longest of them.
    pub slowest_start_ms: Option<u64>,
    /// Jobs whose scripts run.
    pub running: u64,
    /// Their vCPU.
    pub running_vcpu: f64,
    /// Their memory.
    pub running_memory_mib: u64,
    /// System failures of the last hour.
    pub failed_1h_system: u64,
    /// Scripts that failed or timed out in the last hour.
    pub failed_1h_script: u64,
}

/// One limit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LimitRow {
    /// What is limited, for people.
    pub name: String,
    /// What is used; `None`: not known.
    pub used: Option<f64>,
    /// What is allowed; `None`: not known.
    pub allowed: Option<f64>,
    /// What to allow so that it becomes known.
    pub unknown: Option<String>,
    /// Whether less is worse, as with free addresses.
    pub is_floor: bool,
}

/// Jobs with one cause and one object.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AttentionRow {
    /// The cause.
    pub why: WhyAnswer,
    /// `new` or `back`.
    pub mark: Option<String>,
    /// What it is about: the image, the secret, the zones. Not for guests, whose groups have all objects.
    #[serde(default)]
    pub object: Option<String>,
    /// How many jobs.
    pub jobs: u64,
    /// Of these, the ids of the jobs that are not over. The others failed in the last hour.
    #[serde(default)]
    pub open_jobs: Vec<String>,
    /// Of how many projects.
    pub projects: u64,
    /// The first of them.
    pub first_ms: u64,
    /// The last of them.
    pub last_ms: u64,
    /// The last hour, 12 numbers.
    pub per_5min: Vec<u64>,
    /// Whether a script is not to blame.
    pub is_system: bool,
}

/// A job without a task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct WaitingRow {
    /// The job's id.
    pub id: String,
    /// Its name.
    pub name: Option<String>,
    /// Its project's path.
    pub project: Option<String>,
    /// Its size, for people.
    pub size: Option<String>,
    /// Since when it waits.
    pub since_ms: u64,
    /// Why, if it is known.
    pub why: Option<WhyAnswer>,
    /// What it waits for, if no cause is known yet.
    pub waits_for: Option<String>,
    /// RunTask calls so far.
    pub tries: u64,
}

/// A job whose task starts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct StartingRow {
    /// The job's id.
    pub id: String,
    /// Its name.
    pub name: Option<String>,
    /// Its project's path.
    pub project: Option<String>,
    /// Its size, for people.
    pub size: Option<String>,
    /// The task's id.
    pub task: Option<String>,
    /// Since when it starts.
    pub since_ms: u64,
    /// The phase that it is in, for people: `pulling the image`.
    pub phase: String,
    /// Since when.
    pub phase_since_ms: u64,
    /// The usual length of this phase.
    pub usual_ms: Option<u64>,
    /// Finished and current phases with their lengths in ms: `queue`, `run_task`, `network`, `pull`, `start`, `agent`.
    pub strip: Vec<(String, u64)>,
}

/// A job whose scripts run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RunningRow {
    /// The job's id.
    pub id: String,
    /// Its name.
    pub name: Option<String>,
    /// Its project's path.
    pub project: Option<String>,
    /// The task's id.
    pub task: Option<String>,
    /// Its size, for people.
    pub size: Option<String>,
    /// Since when it runs.
    pub since_ms: u64,
    /// The stage that runs.
    pub stage: Option<String>,
    /// Since when.
    pub stage_since_ms: Option<u64>,
    /// How long its start took.
    pub started_in_ms: Option<u64>,
    /// Estimated cost so far.
    pub cost_micro_usd: Option<u64>,
}
