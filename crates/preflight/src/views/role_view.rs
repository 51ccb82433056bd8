//! One role of IAM: who may assume it, and its policies.

use fargate_aws::IamRole;

use crate::reading::AwsReading;
use crate::views::RightAnswer;

/// One policy of a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolePolicyText {
    /// The name of the policy.
    pub name: String,
    /// The document.
    pub text: String,
}

/// One role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoleView {
    /// The name or ARN by which the configuration or the task definition has it.
    pub name: String,
    /// The role; `None` if there is none with this name.
    pub role: AwsReading<Option<IamRole>>,
    /// All its policies.
    pub policies: AwsReading<Vec<RolePolicyText>>,
    /// What it needs to be allowed, and whether it is. Empty for a task role.
    pub rights: Vec<RightAnswer>,
}
