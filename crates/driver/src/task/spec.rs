//! What a task shall be: a definition, a size, a place, and a list of containers.

use std::collections::BTreeMap;
use std::time::SystemTime;

use fargate_aws::CallError;
use fargate_config::{JobProfile, LaunchMode, PublicIp};
use fargate_model::id::{RandomToken, TaskOwner};
use fargate_model::job::JobKey;
use fargate_state::{CapacityProviderShare, ContainerSpec, LaunchRequest, TaskCapacity};

/// Name of the override variable that tells a task's job: DescribeTasks returns it also to callers
/// without the right to read tags.
pub const JOB_VARIABLE: &str = "FARGATE_RUNNER_JOB";

/// Name of the override variable that tells which state folder knows a task, where the owner's name
/// comes from a configuration that several hosts may have.
pub const FOLDER_VARIABLE: &str = "FARGATE_RUNNER_STATE_FOLDER";

/// Name of the override variable with the seconds after which a task ends itself, until it is
/// given more.
pub const LIFETIME_VARIABLE: &str = "FARGATE_RUNNER_LIFETIME_S";

/// Name of the override variable with the seconds that the task is given once its agent answers,
/// where they are more than every agent takes at its start. Only whoever looks for orphans reads it.
pub const LEASE_VARIABLE: &str = "FARGATE_RUNNER_LEASE_S";

/// How the names of our tags begin.
pub const TAG_PREFIX: &str = "fargate-runner:";

/// The right that tags need beside RunTask's own.
///
/// Source: Amazon ECS Developer Guide, "Grant permission to tag resources on creation".
pub const TAG_RIGHT: &str = "ecs:TagResource";

/// A task as the configuration and the job want it; where it runs is chosen at each launch.
#[derive(Clone, Debug)]
pub struct TaskSpec {
    /// Name or ARN of the cluster.
    pub cluster: String,
    /// Family, family and revision, or ARN.
    pub task_definition: String,
    /// Tried in turn, one per launch.
    pub subnets: Vec<String>,
    /// Of the task's network interface.
    pub security_groups: Vec<String>,
    /// Launch type or strategy.
    pub purchase: TaskCapacity,
    /// None leaves it to ECS.
    pub platform_version: Option<String>,
    /// Override of the definition's CPU units.
    pub cpu_units: Option<u32>,
    /// Override of the definition's memory in MiB.
    pub memory_mib: Option<u32>,
    /// The first one holds the agent.
    pub containers: Vec<ContainerSpec>,
    /// The job's key.
    pub job: JobKey,
    /// Goes into `startedBy`.
    pub owner: TaskOwner,
    /// Tags, ours and the configuration's.
    pub tags: BTreeMap<String, String>,
    /// Whether it gets a public address, and whether it is dialled there.
    pub public_ip: PublicIp,
    /// ECS Exec is enabled in it.
    pub execute_command: bool,
}

impl TaskSpec {
    /// What the profile says, for this job; the containers' variables are still to come.
    #[must_use]
    pub fn new(profile: &JobProfile, owner: TaskOwner, job: JobKey) -> Self {
        let purchase = match profile.launch() {
            LaunchMode::Type(kind) => TaskCapacity::LaunchType(kind.to_string()),
            LaunchMode::ClusterDefault => TaskCapacity::ClusterDefault,
            LaunchMode::Strategy(items) => TaskCapacity::Strategy(
                items
                    .iter()
                    .map(|item| CapacityProviderShare {
                        name: item.provider.clone(),
                        weight: item.weight,
                        base: item.base,
                    })
                    .collect(),
            ),
        };
        Self {
            cluster: profile.cluster.clone(),
            task_definition: profile.task_definition.clone(),
            subnets: profile.subnets.clone(),
            security_groups: profile.security_groups.clone(),
            purchase,
            platform_version: profile.platform_version.clone(),
            cpu_units: profile.cpu_units,
            memory_mib: profile.memory_mib,
            containers: vec![ContainerSpec {
                name: profile.container.clone(),
                environment: BTreeMap::new(),
            }],
            job,
            owner,
            tags: profile.tags.clone(),
            public_ip: profile.public_ip,
            execute_command: profile.enable_execute_command,
        }
    }

    /// The exact request of one launch into one subnet.
    #[must_use]
    pub fn request(&self, token: RandomToken, subnet: &str) -> LaunchRequest {
        let mut tags = self.tags.clone();
        tags.insert(format!("{TAG_PREFIX}launch"), token.to_string());
        let mut containers = self.containers.clone();
        if let Some(first) = containers.first_mut() {
            first.environment.insert(JOB_VARIABLE.to_owned(), self.job.to_string());
        }
        LaunchRequest {
            token,
            cluster: self.cluster.clone(),
            task_definition: self.task_definition.clone(),
            subnet: subnet.to_owned(),
            security_groups: self.security_groups.clone(),
            purchase: self.purchase.clone(),
            platform_version: self.platform_version.clone(),
            cpu_units: self.cpu_units,
            memory_mib: self.memory_mib,
            containers,
            started_by: self.owner.clone(),
            tags,
            assign_public_ip: self.public_ip != PublicIp::None,
            execute_command: self.execute_command,
            sent_unix_s: SystemTime::now()
                .duration_since(SystemTime::UNIX_EPOCH)
                .unwrap_or_default()
                .as_secs(),
            settled: false,
            task: None,
        }
    }
}

/// True if this error says that the tags of the launch, and nothing else of it, are refused.
#[must_use]
pub fn is_refused_for_tags(launch: &LaunchRequest, error: &CallError) -> bool {
    !launch.tags.is_empty() && error.denies(TAG_RIGHT)
}
