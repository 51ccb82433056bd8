//! The arguments of `iam-policy`.

use clap::{Args, ValueEnum};
use fargate_access_policy::PolicyHolder;

/// `iam-policy`.
#[derive(Debug, Args)]
pub struct IamPolicyArgs {
    /// Whose policy it is
    #[arg(long = "for", value_enum, value_name = "WHO", default_value = "manager")]
    pub holder: HolderName,
    /// The account, if no ARN of the configuration names it
    #[arg(long, value_name = "ID")]
    pub account: Option<String>,
    /// A role that a `task_definition` of the configuration names, by its name or ARN; may be given several
    /// times
    #[arg(long = "pass-role", value_name = "ROLE")]
    pub passed_roles: Vec<String>,
    /// A log group that a `task_definition` of the configuration names; may be given several times
    #[arg(long = "log-group", value_name = "GROUP")]
    pub log_groups: Vec<String>,
    /// Allow the reading calls of `fargate-runner check` as well
    #[arg(long)]
    pub with_check: bool,
}

/// Whose policy is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HolderName {
    /// The manager host, which runs jobs
    Manager,
    /// The manager host, where `assume_role_arn` names another role for everything else
    Host,
    /// The execution role, with which ECS prepares a task
    Execution,
    /// The task role, which the scripts of jobs have
    Task,
    /// Whoever builds and cleans up images
    ImageBuilder,
    /// The administrator who runs `config import-stack`, `efs apply` and `registry-secret set`
    Infrastructure,
}

impl HolderName {
    /// The same in the catalogue of calls.
    pub fn holder(self) -> PolicyHolder {
        match self {
            Self::Manager => PolicyHolder::Manager,
            Self::Host => PolicyHolder::Host,
            Self::Execution => PolicyHolder::Execution,
            Self::Task => PolicyHolder::Task,
            Self::ImageBuilder => PolicyHolder::ImageBuilder,
            Self::Infrastructure => PolicyHolder::Infrastructure,
        }
    }
}
