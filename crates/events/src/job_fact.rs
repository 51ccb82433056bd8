//! What the history of a job keeps beside its events: facts with more parts than a line of a log has.
//!
//! Whoever learns a fact tells it with [`emit_fact`](crate::emit_fact). The operator's log takes no facts.
//! Names come from the forge or from AWS, never from a variable of the job, and no fact holds a secret:
//! texts of AWS and of the job are masked by the sink.

use fargate_model::cause::CauseReport;
use fargate_model::id::{RandomToken, TaskArn};
use fargate_model::size::FargateSize;
use serde::{Deserialize, Serialize};

/// One fact. A reader passes over a kind that it does not know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum JobFact {
    /// Who the job is and what it gets, as `prepare` knows it. A later one of the same try replaces it.
    Described(Box<JobDescription>),
    /// The job waits before its first launch, and why. A later one replaces it; the launch ends it.
    Waits {
        /// The cause with its facts and evidence.
        report: Box<CauseReport>,
    },
    /// RunTask is sent for a launch.
    LaunchSent(LaunchFact),
    /// ECS refused a launch, or accepted it (`task`).
    LaunchAnswered {
        /// The launch.
        launch: RandomToken,
        /// The task that ECS accepted.
        task: Option<TaskArn>,
        /// Why it was refused.
        report: Option<Box<CauseReport>>,
    },
    /// What ECS says of the task. Told when a state or a time changed.
    TaskSeen(Box<TaskFact>),
    /// The login succeeded. Times are those of this host.
    AgentReached {
        /// When the task's address was known: milliseconds since 1970.
        address_known_ms: Option<u64>,
        /// When the server accepted the login.
        login_ms: u64,
        /// When the host key was proven. Where the key alone is the proof, that is at the login.
        #[serde(default)]
        proven_ms: Option<u64>,
        /// How the host key was proven, as `host_key` spells it: `seed`, `sts`, `first_use`.
        proof: Option<String>,
    },
    /// A stage began: the name is gitlab-runner's own.
    StageStarted {
        /// `prepare_script`, `get_sources`, `build_script` ...
        stage: String,
    },
    /// A stage ended.
    StageEnded {
        /// Its name.
        stage: String,
        /// What the script ended with, if it ended by itself.
        exit: Option<u8>,
        /// Bytes of output that were passed on.
        output_bytes: u64,
        /// How often the connection was cut and resumed.
        resumed: u32,
        /// Whether it counts as passed, failed, system failure, or cancelled.
        verdict: StageVerdict,
    },
    /// The process that did all of a job is done with it: `exec`, which has no clean-up of its own.
    Finished {},
    /// Why a stage or a start failed, in full. The first of a try is its cause, later ones follow from it.
    Explained {
        /// The cause with its facts and evidence.
        report: Box<CauseReport>,
        /// Whether gitlab-runner tries again.
        is_final: bool,
    },
}

/// How a stage ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StageVerdict {
    /// Exit status 0 was received.
    Passed,
    /// The script failed by itself.
    Failed,
    /// Anything but the script failed.
    SystemFailure,
    /// Somebody cancelled the job.
    Cancelled,
    /// The job's time was over.
    TimedOut,
}

/// Who a job is, and what it gets.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct JobDescription {
    /// The job's id for people: `gl-4411`.
    pub id: String,
    /// `gitlab` or `exec`.
    pub origin: String,
    /// The forge's host.
    pub forge_host: Option<String>,
    /// The job's page on the forge.
    pub forge_url: Option<String>,
    /// The number of the `prepare` that runs, from 1.
    pub attempt: u32,
    /// The project's id on the forge.
    pub project_id: Option<u64>,
    /// The project's path on the forge: `acme/web`.
    pub project: Option<String>,
    /// The job's name: `test:e2e`.
    pub name: Option<String>,
    /// The branch or tag.
    pub git_ref: Option<String>,
    /// The commit.
    pub sha: Option<String>,
    /// The pipeline's id.
    pub pipeline: Option<u64>,
    /// Who started the job on the forge, where it tells a name.
    pub user: Option<String>,
    /// The forge's id of that user.
    pub user_id: Option<u64>,
    /// The profile's name; `None` for `[defaults]`.
    pub profile: Option<String>,
    /// This host's name.
    pub host: String,
    /// The Region.
    pub region: String,
    /// The cluster.
    pub cluster: String,
    /// The role with which AWS is called, if one is assumed.
    pub role: Option<String>,
    /// The job's own time limit, in seconds.
    pub timeout_s: Option<u64>,
    /// How long the job waited in the forge's queue, in seconds, as the forge says.
    pub queued_s: Option<f64>,
    /// How many jobs waited with it, as the forge says.
    pub queue_size: Option<u64>,
    /// Size of the task.
    pub size: Option<FargateSize>,
    /// Ephemeral storage in GiB, if more than the 20 that are free.
    pub disk_gib: Option<u32>,
    /// `x86_64` or `arm64`.
    pub architecture: Option<String>,
    /// The image as configured: `ci@stable`.
    pub image: Option<String>,
    /// Its digest, if known.
    pub image_digest: Option<String>,
    /// The size of the image in its registry, in bytes, if known.
    pub image_bytes: Option<u64>,
    /// The role that the task's containers act as, if the profile names one.
    pub task_role: Option<String>,
    /// The number of EFS volumes.
    pub volumes: u32,
}

/// One launch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LaunchFact {
    /// Its client token.
    pub launch: RandomToken,
    /// The subnet that RunTask names.
    pub subnet: String,
    /// The capacity provider, or `None` for the launch type FARGATE.
    #[serde(default)]
    pub capacity: Option<String>,
    /// The task definition.
    pub definition: String,
    /// The security groups.
    #[serde(default)]
    pub security_groups: Vec<String>,
}

/// What ECS says of a task. Times are ECS's own, in milliseconds since 1970; `None`: not reported.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TaskFact {
    /// The task.
    pub task: String,
    /// `PROVISIONING` ... `STOPPED`.
    pub status: String,
    /// `createdAt`.
    pub created_ms: Option<u64>,
    /// `connectivityAt`: the network interface is attached.
    pub connected_ms: Option<u64>,
    /// `pullStartedAt`.
    pub pull_started_ms: Option<u64>,
    /// `pullStoppedAt`.
    pub pull_stopped_ms: Option<u64>,
    /// `startedAt`.
    pub started_ms: Option<u64>,
    /// `stoppingAt`.
    pub stopping_ms: Option<u64>,
    /// `stoppedAt`.
    pub stopped_ms: Option<u64>,
    /// Its zone.
    pub zone: Option<String>,
    /// Its subnet.
    pub subnet: Option<String>,
    /// Its private address.
    pub address: Option<String>,
    /// The capacity provider that ECS chose: `FARGATE` or `FARGATE_SPOT`.
    pub capacity: Option<String>,
    /// The platform version.
    pub platform: Option<String>,
    /// The digest of the image that ECS pulled.
    pub image_digest: Option<String>,
    /// The size that ECS gave it.
    pub size: Option<FargateSize>,
    /// The ephemeral storage that ECS gave it, in GiB.
    pub disk_gib: Option<u32>,
    /// `x86_64` or `arm64`.
    pub architecture: Option<String>,
    /// `stopCode`.
    pub stop_code: Option<String>,
    /// `stoppedReason`, word for word.
    pub stop_reason: Option<String>,
    /// The job container's `reason`, word for word.
    pub container_reason: Option<String>,
    /// The job container's `exitCode`.
    pub container_exit: Option<i32>,
}

impl TaskFact {
    /// Takes over what a later look knows. What it does not know stays as it was.
    pub fn learn(&mut self, seen: &Self) {
        fn newer<T: Clone>(known: &mut Option<T>, seen: Option<&T>) {
            if seen.is_some() {
                *known = seen.cloned();
            }
        }
        self.task.clone_from(&seen.task);
        // ECS forgets tasks and answers late; a task that has stopped never runs again.
        if self.stopped_ms.is_none() || seen.stopped_ms.is_some() {
            self.status.clone_from(&seen.status);
        }
        for (known, seen) in [
            (&mut self.created_ms, &seen.created_ms),
            (&mut self.connected_ms, &seen.connected_ms),
            (&mut self.pull_started_ms, &seen.pull_started_ms),
            (&mut self.pull_stopped_ms, &seen.pull_stopped_ms),
            (&mut self.started_ms, &seen.started_ms),
            (&mut self.stopping_ms, &seen.stopping_ms),
            (&mut self.stopped_ms, &seen.stopped_ms),
        ] {
            newer(known, seen.as_ref());
        }
        for (known, seen) in [
            (&mut self.zone, &seen.zone),
            (&mut self.subnet, &seen.subnet),
            (&mut self.address, &seen.address),
            (&mut self.capacity, &seen.capacity),
            (&mut self.platform, &seen.platform),
            (&mut self.image_digest, &seen.image_digest),
            (&mut self.architecture, &seen.architecture),
            (&mut self.stop_code, &seen.stop_code),
            (&mut self.stop_reason, &seen.stop_reason),
            (&mut self.container_reason, &seen.container_reason),
        ] {
            newer(known, seen.as_ref());
        }
        newer(&mut self.size, seen.size.as_ref());
        newer(&mut self.disk_gib, seen.disk_gib.as_ref());
        newer(&mut self.container_exit, seen.container_exit.as_ref());
    }
}
