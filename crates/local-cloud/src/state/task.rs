//! A task and its containers: where they stand, and the orders that end them. How it is shown is
//! in `task_view`; what makes it move on is in `lifecycle`.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, SystemTime};

use fargate_model::task::TaskStatus;
use tokio::sync::watch;

use super::definition::TaskDefinition;
use super::network::CloudSubnet;
use super::tags::ResourceTags;
use super::task_history::TaskHistory;
use crate::fault::CloudTaskIdentity;
use crate::wire::shape::common::TaskOverride;

/// How long a stopped task can still be described.
///
/// Source: Amazon ECS Developer Guide, "Viewing Amazon ECS stopped task errors".
pub const STOPPED_VISIBLE: Duration = Duration::from_secs(3600);

/// The variable by which a task says whose job it runs; rules name tasks by it.
pub const JOB_VARIABLE: &str = "FARGATE_RUNNER_JOB";

/// One task.
#[derive(Clone)]
pub struct CloudTask {
    pub id: String,
    pub arn: String,
    pub sequence: u64,
    pub region: String,
    pub cluster: String,
    pub cluster_arn: String,
    pub definition: Arc<TaskDefinition>,
    pub overrides: TaskOverride,
    pub cpu: String,
    pub memory: String,
    pub capacity_provider: Option<String>,
    pub platform_version: String,
    pub group: String,
    pub started_by: Option<String>,
    pub client_token: Option<String>,
    pub execute_command: bool,
    pub tags: ResourceTags,
    pub place: CloudSubnet,
    pub interface: TaskNetworkInterface,
    pub containers: Vec<CloudContainer>,
    pub last_status: TaskStatus,
    pub version: u64,
    pub times: CloudTaskTimes,
    /// Why it ends, from the moment that is known.
    pub ending: Option<CloudTaskEnding>,
    /// The API does not know it any more.
    pub forgotten: bool,
    /// As it was before.
    pub past: TaskHistory,
    /// Tells its lifecycle to end it.
    pub orders: watch::Sender<Option<CloudTaskEnding>>,
}

/// When what happened.
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

/// The elastic network interface of a task.
#[derive(Clone, Debug)]
pub struct TaskNetworkInterface {
    pub attachment_id: String,
    pub status: InterfaceStatus,
    pub interface_id: String,
    pub mac_address: String,
    /// From ATTACHED on.
    pub address: Option<IpAddr>,
    /// As above, where the request asked for one.
    pub public_address: Option<Ipv4Addr>,
    /// Connections that came by the public address.
    pub public_connections: Arc<AtomicUsize>,
    /// Shown at the containers too, from PENDING on.
    pub seen_by_containers: bool,
}

/// Where a network interface stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InterfaceStatus {
    Precreated,
    Attached,
    Deleted,
}

impl InterfaceStatus {
    pub fn word(self) -> &'static str {
        match self {
            Self::Precreated => "PRECREATED",
            Self::Attached => "ATTACHED",
            Self::Deleted => "DELETED",
        }
    }
}

/// One container of a task.
#[derive(Clone, Debug)]
pub struct CloudContainer {
    pub arn: String,
    pub name: String,
    pub runtime_id: Option<String>,
    pub last_status: TaskStatus,
    pub exit_code: Option<i32>,
    pub reason: Option<String>,
    /// Its first process on this machine, while it runs.
    pub pid: Option<i32>,
    /// Where its output is.
    pub log: Option<PathBuf>,
}

/// Why and how a task ends.
#[derive(Clone, Debug, PartialEq)]
pub struct CloudTaskEnding {
    pub stop_code: String,
    pub stopped_reason: String,
    pub container_reason: Option<String>,
    /// In place of what its processes say.
    pub exit_code: Option<i32>,
    /// SIGKILL at once instead of SIGTERM first.
    pub at_once: bool,
    /// AWS takes its capacity back: the task shows RUNNING until its containers have ended.
    pub interrupted: bool,
    /// From SIGTERM to SIGKILL; the `stopTimeout` of each container when `None`.
    pub grace: Option<Duration>,
}

/// What ECS says of a task whose capacity Fargate Spot takes back.
///
/// Source: Amazon ECS Developer Guide, "Amazon ECS clusters for Fargate", termination notices.
const SPOT: (&str, &str) = ("SpotInterruption", "Your Spot Task was interrupted.");

impl CloudTaskEnding {
    /// Fargate Spot takes its capacity back.
    pub fn spot(grace: Option<Duration>) -> Self {
        let (stop_code, stopped_reason) = SPOT;
        Self { interrupted: true, grace, ..Self::gentle(stop_code, stopped_reason) }
    }

    /// Ends with SIGTERM first and says nothing about containers.
    pub fn gentle(stop_code: &str, stopped_reason: &str) -> Self {
        Self {
            stop_code: stop_code.to_owned(),
            stopped_reason: stopped_reason.to_owned(),
            container_reason: None,
            exit_code: None,
            at_once: false,
            interrupted: false,
            grace: None,
        }
    }
}

impl CloudTask {
    /// Not STOPPED.
    pub fn is_live(&self) -> bool {
        self.last_status != TaskStatus::Stopped
    }

    /// As rules name it.
    pub fn named(&self) -> CloudTaskIdentity {
        let overrides = self.overrides.container_overrides.iter().flatten();
        let mut pairs = overrides.flat_map(|one| one.environment.iter().flatten());
        let job = pairs.find(|pair| pair.name.as_deref() == Some(JOB_VARIABLE));
        CloudTaskIdentity {
            number: Some(self.sequence),
            arn: Some(self.arn.clone()),
            job: job.and_then(|pair| pair.value.clone()),
            family: self.definition.family.clone(),
        }
    }

    /// `RUNNING`, or `STOPPED` from the moment that it is to end.
    pub fn desired_status(&self) -> &'static str {
        if self.ending.is_some() { "STOPPED" } else { "RUNNING" }
    }

    /// The API shows it to a reader that is `lag` behind.
    pub fn is_visible(&self, now: SystemTime, lag: Duration) -> bool {
        let young = self.times.created + lag > now;
        let old = self.times.stopped.is_some_and(|stopped| stopped + STOPPED_VISIBLE <= now);
        !(young || old || self.forgotten)
    }

    /// Decides how it ends; only the first decision counts. False if it was decided before.
    pub fn decide(&mut self, ending: CloudTaskEnding, now: SystemTime) -> bool {
        if self.ending.is_some() {
            return false;
        }
        self.remember(now);
        self.ending = Some(ending);
        self.times.stopping = Some(now);
        self.version += 1;
        true
    }

    /// Decides how it ends and tells its lifecycle. False if it was decided before; an order to
    /// end it at once reaches the lifecycle even then.
    pub fn order(&mut self, ending: CloudTaskEnding, now: SystemTime) -> bool {
        let first = self.decide(ending.clone(), now);
        if first || ending.at_once {
            self.orders.send_replace(Some(ending));
        }
        first
    }
}
