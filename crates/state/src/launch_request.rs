//! One launch of a task, as it is written down before it is asked for.
//!
//! It is what RunTask gets and nothing else: whether ECS accepts it is not known here.

use std::collections::BTreeMap;
use std::time::Duration;

use fargate_model::id::{RandomToken, TaskArn, TaskOwner};
use serde::{Deserialize, Serialize};

/// One container of the task, by its name in the definition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerSpec {
    /// The name in the task definition.
    pub name: String,
    /// Variables in addition to those of the definition. Everybody who may call DescribeTasks can
    /// read them.
    pub environment: BTreeMap<String, String>,
}

/// How the task is paid for and placed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskCapacity {
    /// A launch type.
    LaunchType(String),
    /// A capacity provider strategy.
    Strategy(Vec<CapacityProviderShare>),
    /// The cluster's default capacity provider strategy.
    ClusterDefault,
}

/// One item of a capacity provider strategy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapacityProviderShare {
    /// For example `FARGATE_SPOT`.
    pub name: String,
    /// Its share.
    pub weight: u32,
    /// How many tasks it gets before weights count.
    pub base: u32,
}

/// One RunTask with its exact parameters. It is written to the state file before it is sent. Sent
/// again with the same token, it can only name the same task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchRequest {
    /// The client token.
    pub token: RandomToken,
    /// Cluster.
    pub cluster: String,
    /// Task definition.
    pub task_definition: String,
    /// One subnet.
    pub subnet: String,
    /// Security groups.
    pub security_groups: Vec<String>,
    /// Launch type or strategy.
    pub purchase: TaskCapacity,
    /// Platform version.
    pub platform_version: Option<String>,
    /// CPU units.
    pub cpu_units: Option<u32>,
    /// Memory in MiB.
    pub memory_mib: Option<u32>,
    /// Disk in GiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ephemeral_storage_gib: Option<u32>,
    /// The containers with their variables, among them the seed of the host key.
    pub containers: Vec<ContainerSpec>,
    /// The owner.
    pub started_by: TaskOwner,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Whether a public address is requested.
    #[serde(default)]
    pub assign_public_ip: bool,
    /// Whether ECS Exec is requested.
    #[serde(default)]
    pub execute_command: bool,
    /// Whether the task gets the tags of its task definition as well.
    #[serde(default)]
    pub propagate_tags: bool,
    /// Whether ECS adds its own tag with the cluster's name.
    #[serde(default)]
    pub managed_tags: bool,
    /// When it was made, in seconds since 1970. If ECS does not know the task, it may be too new.
    #[serde(default)]
    pub sent_unix_s: u64,
    /// Whether it is known which task this launch started, or that it started none.
    #[serde(default)]
    pub settled: bool,
    /// The task, if it is known.
    #[serde(default)]
    pub task: Option<TaskArn>,
}

impl TaskCapacity {
    /// Its name for people: `FARGATE_SPOT`, or `FARGATE_SPOT and FARGATE` for a strategy of two.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::LaunchType(kind) => kind.clone(),
            Self::Strategy(items) => {
                let names: Vec<_> = items.iter().map(|item| item.name.as_str()).collect();
                names.join(" and ")
            }
            Self::ClusterDefault => "the cluster's default capacity".to_owned(),
        }
    }

    /// Whether AWS may take its tasks back.
    #[must_use]
    pub fn may_be_interrupted(&self) -> bool {
        match self {
            Self::LaunchType(_) => false,
            Self::Strategy(items) => items.iter().any(|item| item.name == "FARGATE_SPOT"),
            Self::ClusterDefault => true,
        }
    }
}

impl LaunchRequest {
    /// Whether this launch is so new that ECS may not know its task everywhere. A clock that was
    /// set back does not keep a launch new.
    #[must_use]
    pub fn is_younger_than(&self, age: Duration, since_1970: Duration) -> bool {
        since_1970
            .as_secs()
            .checked_sub(self.sent_unix_s)
            .is_some_and(|since| since <= age.as_secs())
    }

    /// The same launch without tags, for an account in which tags may not be set. With the same
    /// token, it starts a task only if none was started before; else ECS names that one.
    #[must_use]
    pub fn untagged(&self) -> Self {
        Self { tags: BTreeMap::new(), propagate_tags: false, managed_tags: false, ..self.clone() }
    }

    /// Removes the variables, which hold a seed. Nobody needs them once the task is known.
    pub fn forget_variables(&mut self) {
        if self.task.is_some() {
            self.containers.iter_mut().for_each(|container| container.environment.clear());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::record_of;

    #[test]
    fn a_launch_of_an_older_version_is_read_as_what_that_version_sent() {
        let launch = record_of(&TaskArn("arn:x".to_owned())).launches.remove(0);
        let mut written = serde_json::to_value(&launch).unwrap();
        let members = written.as_object_mut().unwrap();
        assert!(members.remove("assign_public_ip").is_some());
        assert!(members.remove("execute_command").is_some());
        assert!(members.remove("propagate_tags").is_some());
        assert!(members.remove("managed_tags").is_some());
        assert_eq!(serde_json::from_value::<LaunchRequest>(written).unwrap(), launch);
    }
}
