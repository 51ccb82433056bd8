//! One call to AWS that this program makes, or that AWS makes for its tasks: what is
//! said of one. The list stands in `call_list`.
//!
//! Source, for resources and condition keys: Service Authorization Reference, the page of each service; for the
//! execution role: Amazon ECS Developer Guide, "Amazon ECS task execution IAM role".

/// Who makes a call, and so whose policy allows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PolicyHolder {
    /// The manager host: runs jobs, reaps tasks, registers and prunes task definitions.
    Manager,
    /// The manager host, where it assumes a role for everything else.
    Host,
    /// The execution role: ECS pulls images, reads secrets and writes logs with it.
    Execution,
    /// The task role: what the scripts of jobs may do.
    Task,
    /// Whoever builds, pushes, signs and cleans up images.
    ImageBuilder,
    /// An administrator: `config import-stack`, `efs apply` and `registry-secret set`.
    Infrastructure,
    /// Whoever runs `check`.
    Check,
}

/// The resources of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CallTarget {
    /// All of them: the action knows no resources.
    Anything,
    /// The cluster.
    Cluster,
    /// Tasks of the cluster.
    Tasks,
    /// The task definitions that jobs run.
    Definitions,
    /// Those of them that this program registers.
    MadeDefinitions,
    /// The execution and task roles.
    PassedRoles,
    /// All roles of the account.
    AllRoles,
    /// All keys of KMS of the place.
    AllKeys,
    /// All stacks of CloudFormation of the place.
    AllStacks,
    /// The role that the host assumes.
    AssumedRoles,
    /// The streams of the log groups of tasks.
    LogStreams,
    /// These groups with their streams.
    LogGroups,
    /// The secrets with logins of registries that the manager itself asks.
    AskedSecrets,
    /// All secrets with logins of registries.
    RegistrySecrets,
    /// Those, and the secrets that jobs get.
    TaskSecrets,
    /// The parameters that jobs get.
    TaskParameters,
    /// The repositories of ECR that tasks pull from.
    PulledRepositories,
    /// The repositories of ECR that images are pushed to.
    PushedRepositories,
    /// The keys of KMS that sign images.
    SigningKeys,
    /// The file systems whose access points are looked up for each job.
    LookedUpFileSystems,
    /// The file systems that `efs apply` prepares.
    PreparedFileSystems,
    /// The file systems that tasks mount with their role, where `efs apply` does not write the policy.
    MountedFileSystems,
    /// The topic of SNS that `serve` writes to.
    ToldTopics,
}

/// What must hold besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallCircumstance {
    /// Nothing.
    Always,
    /// The call is about the cluster.
    InCluster,
    /// Tags are given by the call that makes the resource.
    OnCreation(&'static str),
    /// The task has our deadline, and only that tag changes.
    MovesDeadline,
    /// The role is given to tasks of ECS.
    PassedToTasks,
    /// Tags are given by the call of EFS that makes the resource.
    OnStorageCreation(&'static str),
}

/// Which places need a call, of those that have its resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallNeed {
    /// All of them.
    Everywhere,
    /// Those that also name such resources.
    Naming(CallTarget),
    /// Those with this setting.
    Setting(PlaceSetting),
}

/// What a profile may ask for, beside resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PlaceSetting {
    /// Tasks of failed jobs are kept.
    KeepsTasks,
    /// Tasks are reached by public addresses.
    DialsPublicAddresses,
    /// Tasks write to volumes.
    WritesVolumes,
    /// ECS Exec is enabled.
    UsesEcsExec,
    /// A volume names the security groups of its mount targets.
    NamesMountTargetGroups,
}

/// One call.
#[derive(Clone, Copy, Debug)]
pub struct CataloguedCall {
    /// Who makes it.
    pub holder: PolicyHolder,
    /// The action that a policy allows, for example `ecs:RunTask`.
    pub action: &'static str,
    /// For what.
    pub target: CallTarget,
    /// Under which condition.
    pub circumstance: CallCircumstance,
    /// What it is for, in a few words.
    pub purpose: &'static str,
    /// The key of the configuration that brings the need; `None` for every configuration.
    pub setting: Option<&'static str>,
    /// Which places need it, of those that have its resources.
    pub need: CallNeed,
}

/// A call that every place with its resources needs.
pub(crate) const fn call(
    holder: PolicyHolder,
    action: &'static str,
    target: CallTarget,
    circumstance: CallCircumstance,
    purpose: &'static str,
) -> CataloguedCall {
    let (setting, need) = (None, CallNeed::Everywhere);
    CataloguedCall { holder, action, target, circumstance, purpose, setting, need }
}

impl CataloguedCall {
    /// The same call, for a key of the configuration.
    pub(crate) const fn of_setting(self, setting: &'static str) -> Self {
        Self { setting: Some(setting), ..self }
    }

    /// The same call, where this holds.
    pub(crate) const fn only(self, need: CallNeed) -> Self {
        Self { need, ..self }
    }
}
