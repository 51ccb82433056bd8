//! A task: its status, and the orders that end it. `task_view` shows it; `lifecycle` moves it on.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fargate_model::task::TaskStatus;
use tokio::sync::watch;

use super::container::CloudContainer;
use super::definition::TaskDefinition;
use super::network_interface::TaskNetworkInterface;
use super::tags::ResourceTags;
use super::task_ending::CloudTaskEnding;
use super::task_history::TaskHistory;
use super::task_times::CloudTaskTimes;
use crate::fault::CloudTaskIdentity;
use crate::network::CloudSubnet;
use crate::services::ecs::shape::common::TaskOverride;

/// How long a stopped task can still be described.
///
/// Source: Amazon ECS Developer Guide, "Viewing Amazon ECS stopped task errors".
pub const STOPPED_VISIBLE: Duration = Duration::from_secs(3600);

/// The variable with the key of the job that a task runs. Fault rules can name tasks by this key.
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
    /// Why it ends, as soon as that is decided.
    pub ending: Option<CloudTaskEnding>,
    /// The API does not know it any more.
    pub forgotten: bool,
    /// What it was like at earlier moments.
    pub past: TaskHistory,
    /// Sends its lifecycle the order to end it.
    pub orders: watch::Sender<Option<CloudTaskEnding>>,
}

impl CloudTask {
    /// Whether it is not STOPPED.
    pub fn is_live(&self) -> bool {
        self.last_status != TaskStatus::Stopped
    }

    /// The names by which fault rules know it.
    pub fn named(&self) -> CloudTaskIdentity {
        let overrides = self.overrides.container_overrides.iter().flatten();
        let mut pairs = overrides.flat_map(|one| one.environment.iter().flatten());
        let job = pairs.find(|pair| pair.name.as_deref() == Some(JOB_VARIABLE));
        CloudTaskIdentity {
            number: Some(self.sequence),
            arn: Some(self.arn.clone()),
            job: job.and_then(|pair| pair.value.clone()),
            family: self.definition.family.clone(),
            provider: self.capacity_provider.clone().unwrap_or_else(|| "FARGATE".to_owned()),
            places: vec![self.place.named(&self.region)],
        }
    }

    /// `RUNNING`, or `STOPPED` once its end is decided.
    pub fn desired_status(&self) -> &'static str {
        if self.ending.is_some() { "STOPPED" } else { "RUNNING" }
    }

    /// Whether the API shows it to a reader that is `lag` behind.
    pub fn is_visible(&self, now: SystemTime, lag: Duration) -> bool {
        let young = self.times.created + lag > now;
        let old = self.times.stopped.is_some_and(|stopped| stopped + STOPPED_VISIBLE <= now);
        !(young || old || self.forgotten)
    }

    /// Decides how it ends. Only the first decision counts; later ones return false.
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

    /// Decides how it ends, and orders its lifecycle to end it. Returns false if that was decided
    /// before; even then, an order to end it at once reaches the lifecycle.
    pub fn order(&mut self, ending: CloudTaskEnding, now: SystemTime) -> bool {
        let first = self.decide(ending.clone(), now);
        if first || ending.at_once {
            self.orders.send_replace(Some(ending));
        }
        first
    }
}
