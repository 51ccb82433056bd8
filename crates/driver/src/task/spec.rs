//! What a task should be: a definition, a size, subnets, and a list of containers; and the exact
//! request of one launch.
//!
//! It calls nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use fargate_aws::CallError;
use fargate_config::{JobProfile, PublicIp, TagPropagation};
use fargate_model::id::{RandomToken, TaskOwner};
use fargate_state::{ContainerSpec, LaunchRequest, TaskCapacity};

use super::launch_places::{LaunchPlace, capacities};

/// The variable that names a task's job. DescribeTasks returns it even to callers that may not read
/// tags.
pub const JOB_VARIABLE: &str = "FARGATE_RUNNER_JOB";

/// The variable that names the state folder which knows a task. It matters if several hosts have
/// the same configured owner.
pub const FOLDER_VARIABLE: &str = "FARGATE_RUNNER_STATE_FOLDER";

/// The variable with the seconds after which a task ends itself, until a lease gives it more.
pub const LIFETIME_VARIABLE: &str = "FARGATE_RUNNER_LIFETIME_S";

/// The variable with the seconds that the lease gives the task later, if that is more than every
/// agent accepts at its start. Only the reapers read it.
pub const LEASE_VARIABLE: &str = "FARGATE_RUNNER_LEASE_S";

/// The beginning of the names of our tags.
pub const TAG_PREFIX: &str = "fargate-runner:";

/// The right that tags need, in addition to the right to RunTask.
///
/// Source: Amazon ECS Developer Guide, "Grant permission to tag resources on creation".
pub const TAG_RIGHT: &str = "ecs:TagResource";

/// A task as the configuration and the job want it. Its place is chosen at each launch.
#[derive(Clone, Debug)]
pub struct TaskSpec {
    /// Name or ARN of the cluster.
    pub cluster: String,
    /// Family, family and revision, or ARN.
    pub task_definition: String,
    /// The subnets. Each launch uses one.
    pub subnets: Vec<String>,
    /// The security groups of the task's network interface.
    pub security_groups: Vec<String>,
    /// The launch type or strategy of the first choice, and those that may follow.
    pub capacities: Vec<TaskCapacity>,
    /// Platform version. `None` lets ECS choose.
    pub platform_version: Option<String>,
    /// CPU units, if they differ from the definition's.
    pub cpu_units: Option<u32>,
    /// Memory in MiB, if it differs from the definition's.
    pub memory_mib: Option<u32>,
    /// Disk in GiB, if it differs from the definition's.
    pub ephemeral_storage_gib: Option<u32>,
    /// The containers. The first one holds the agent.
    pub containers: Vec<ContainerSpec>,
    /// The owner, for `startedBy`.
    pub owner: TaskOwner,
    /// Our tags and those of the configuration.
    pub tags: BTreeMap<String, String>,
    /// Whether it gets a public address, and whether that is dialled.
    pub public_ip: PublicIp,
    /// Whether ECS Exec is enabled.
    pub execute_command: bool,
    /// Whether it gets the tags of its task definition.
    pub propagate_tags: bool,
    /// Whether ECS adds its own tag.
    pub managed_tags: bool,
}

impl TaskSpec {
    /// The task that the profile describes, started from this task definition. The containers'
    /// variables are added later.
    #[must_use]
    pub fn new(profile: &JobProfile, definition: &str, owner: TaskOwner) -> Self {
        Self {
            cluster: profile.cluster.clone(),
            task_definition: definition.to_owned(),
            subnets: profile.subnets.clone(),
            security_groups: profile.security_groups.clone(),
            capacities: capacities(profile),
            platform_version: profile.platform_version.clone(),
            cpu_units: profile.job_size.cpu_units.or(profile.cpu_units),
            memory_mib: profile.job_size.memory_mib.or(profile.memory_mib),
            ephemeral_storage_gib: profile.job_size.ephemeral_storage_gib,
            containers: vec![ContainerSpec {
                name: profile.container.clone(),
                environment: BTreeMap::new(),
            }],
            owner,
            tags: profile.tags.clone(),
            public_ip: profile.public_ip,
            execute_command: profile.enable_execute_command,
            propagate_tags: profile.propagate_tags == TagPropagation::TaskDefinition,
            managed_tags: profile.enable_ecs_managed_tags,
        }
    }

    /// The exact request of one launch in this place, made at this time. It is bound to no job yet.
    #[must_use]
    pub fn request(
        &self,
        token: RandomToken,
        facts: LaunchPlace,
        since_1970: Duration,
    ) -> LaunchRequest {
        let mut tags = self.tags.clone();
        tags.insert(format!("{TAG_PREFIX}launch"), token.to_string());
        LaunchRequest {
            token,
            cluster: self.cluster.clone(),
            task_definition: self.task_definition.clone(),
            subnet: facts.subnet,
            security_groups: self.security_groups.clone(),
            purchase: facts.capacity,
            platform_version: self.platform_version.clone(),
            cpu_units: self.cpu_units,
            memory_mib: self.memory_mib,
            ephemeral_storage_gib: self.ephemeral_storage_gib,
            containers: self.containers.clone(),
            started_by: self.owner.clone(),
            tags,
            assign_public_ip: self.public_ip != PublicIp::None,
            execute_command: self.execute_command,
            propagate_tags: self.propagate_tags,
            managed_tags: self.managed_tags,
            sent_unix_s: since_1970.as_secs(),
            settled: false,
            task: None,
        }
    }
}

/// True if this error says that the tags of the launch, and nothing else of it, are refused.
#[must_use]
pub fn is_refused_for_tags(launch: &LaunchRequest, error: &CallError) -> bool {
    let has_tags = !launch.tags.is_empty() || launch.propagate_tags || launch.managed_tags;
    has_tags && error.denies(TAG_RIGHT)
}
