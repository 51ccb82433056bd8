//! Who asks, and what that identity may do.

use fargate_aws::CallerIdentity;

use crate::needed_rights::NeededRight;
use crate::reading::AwsReading;
use crate::views::RoleView;

/// Why nobody knows who asks. Each has its own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentityTrouble {
    /// This host has no credentials.
    NoCredentials {
        /// Where it looked.
        error: String,
    },
    /// The credentials have expired.
    Expired {
        /// What AWS said.
        error: String,
    },
    /// AWS does not accept the credentials.
    Refused {
        /// What AWS said.
        error: String,
    },
    /// The role of `assume_role_arn` is not given.
    RoleRefused {
        /// Its ARN.
        role: String,
        /// What AWS said.
        error: String,
    },
    /// No answer came from where this host looks for AWS: the Region, an endpoint or a proxy of its settings may
    /// be wrong.
    NotReached {
        /// The endpoint of STS.
        endpoint: String,
        /// The error.
        error: String,
    },
}

/// What is known about one right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RightState {
    /// It is allowed.
    Allowed,
    /// It is not allowed.
    Denied {
        /// Whether a policy denies it by name; then allowing it elsewhere does not help.
        by_name: bool,
    },
    /// It depends on something that the check does not know.
    Unclear {
        /// On what.
        why: String,
    },
}

/// One right and whether the identity has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RightAnswer {
    /// The right.
    pub right: NeededRight,
    /// Whether it is allowed.
    pub state: AwsReading<RightState>,
}

/// Who asks, and what that identity may do.
#[derive(Clone, Debug, Default)]
pub struct AccessView {
    /// Who asks.
    pub identity: AwsReading<CallerIdentity>,
    /// Why nobody knows who asks.
    pub trouble: Option<IdentityTrouble>,
    /// The Region.
    pub region: String,
    /// The role behind the identity, with its policies; `None` if it is no role.
    pub manager: Option<RoleView>,
    /// Each right that the manager needs.
    pub rights: Vec<RightAnswer>,
    /// Whether the manager may pass a role that no job needs.
    pub passes_other_roles: AwsReading<RightState>,
    /// The execution roles and task roles that profiles name, each once.
    pub roles: Vec<RoleView>,
}

impl AccessView {
    /// The role of this name or ARN, as it was read.
    #[must_use]
    pub fn role(&self, name: &str) -> Option<&RoleView> {
        self.roles.iter().find(|role| role.name == name)
    }

    /// Whether the root user of the account asks, who may do everything.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.identity.known().is_some_and(|identity| identity.arn.ends_with(":root"))
    }
}
