//! What one profile says in the end: each value checked, each default filled in.
//!
//! These are plain values. How they are read, merged and compared is elsewhere.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::timeouts::JobTimeouts;

/// The settings under which jobs run: `[defaults]`, or one `[profile.NAME]` on top of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobProfile {
    /// The profile's name; `None` for `[defaults]` alone.
    pub name: Option<String>,
    /// Name or ARN of the ECS cluster.
    pub cluster: String,
    /// The AWS Region; `None` leaves it to `AWS_REGION` and the SDK's own chain.
    pub region: Option<String>,
    /// Subnets of one VPC, 1 to 16, tried in this order.
    pub subnets: Vec<String>,
    /// Security groups of every task, 1 to 5.
    pub security_groups: Vec<String>,
    /// `family`, `family:revision` or ARN.
    pub task_definition: String,
    /// The container of the task definition in which scripts run.
    pub container: String,
    /// On what the task runs.
    pub launch: LaunchMode,
    /// Fargate platform version; `None` leaves it to ECS, which takes `LATEST`.
    pub platform_version: Option<String>,
    /// CPU units instead of those of the task definition; 1024 are one vCPU.
    pub cpu_units: Option<u32>,
    /// Memory in MiB instead of that of the task definition.
    pub memory_mib: Option<u32>,
    /// How the task's host key is proven.
    pub host_key: HostKey,
    /// Whether the task gets a public IP address, and whether it is reached by it.
    pub public_ip: PublicIp,
    /// Whether ECS Exec is enabled in the task.
    pub enable_execute_command: bool,
    /// Task definitions that a job may choose by `FARGATE_TASK_DEFINITION`, by name.
    pub job_task_definitions: Vec<String>,
    /// Platform versions that a job may choose by `FARGATE_PLATFORM_VERSION`, by name.
    pub job_platform_versions: Vec<String>,
    /// How AWS is reached and as whom.
    pub account: AccountSettings,
    /// The shell that `config` announces to the runner.
    pub shell: Shell,
    /// Folder inside the task for builds; `None` leaves it to the driver.
    pub builds_dir: Option<String>,
    /// Folder inside the task for caches; `None` leaves it to the driver.
    pub cache_dir: Option<String>,
    /// How the task is reached.
    pub ssh: SshSettings,
    /// Every window, deadline and poll.
    pub timeouts: JobTimeouts,
    /// Tags of every task, for cost; at most 40 beside our own.
    pub tags: BTreeMap<String, String>,
}

/// On what a task runs. ECS takes a launch type or a strategy, never both.
///
/// Source: Amazon ECS API Reference, `RunTask`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LaunchMode {
    /// A launch type.
    Type(LaunchType),
    /// A capacity provider strategy, 1 to 20 items.
    Strategy(Vec<StrategyItem>),
    /// Neither: the cluster's default capacity provider strategy decides.
    ClusterDefault,
}

/// How AWS is reached and as whom, beside what the SDK reads from its own environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountSettings {
    /// A role to assume before any call.
    pub role: Option<RoleSettings>,
    /// A PEM file with the authorities to trust instead of the built-in ones; `None` leaves it to
    /// `AWS_CA_BUNDLE`.
    pub ca_bundle: Option<PathBuf>,
}

/// A role that is assumed before any call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleSettings {
    /// Its ARN.
    pub arn: String,
    /// What the role's trust policy may ask for.
    pub external_id: Option<String>,
    /// The name of its session, as AWS keeps it in its record of calls.
    pub session_name: Option<String>,
}

/// One share of a capacity provider strategy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StrategyItem {
    /// `FARGATE` or `FARGATE_SPOT`.
    pub provider: String,
    /// Relative share of the tasks beyond `base`, 0 to 1000.
    pub weight: u32,
    /// How many tasks run here before weights count, 0 to 100000.
    pub base: u32,
}

/// How a task is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SshSettings {
    /// The user scripts run as.
    pub user: String,
    /// The port the agent listens on.
    pub port: u16,
    /// The kind of key that opens the task.
    pub client_key: ClientKeyKind,
}

/// A set of words that a key accepts.
macro_rules! words {
    ($(#[$doc:meta])+ $name:ident { $($(#[$variant_doc:meta])+ $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$variant_doc])+ $variant,)+
        }

        impl $name {
            /// Every value, in the order of the reference file.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word that the file uses.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl crate::check::ConfigKeyword for $name {
            fn all() -> &'static [Self] {
                Self::ALL
            }

            fn word(self) -> &'static str {
                self.as_str()
            }
        }
    };
}
pub(crate) use words;

words! {
    /// The launch types that this product uses.
    LaunchType {
        /// On demand Fargate.
        Fargate = "FARGATE",
    }
}

words! {
    /// How the task's host key is proven before the first script byte.
    HostKey {
        /// A one-time seed from which the agent derives its key. It stops anyone on the network,
        /// not someone who may read DescribeTasks.
        Seed = "seed",
        /// Whatever key the task shows first, once ECS says that it is RUNNING; it is pinned for
        /// every later stage. It stops nobody who stands in the way from the beginning.
        FirstUse = "first_use",
    }
}

words! {
    /// Whether a task gets a public IP address.
    PublicIp {
        /// None; egress goes through a NAT gateway.
        None = "none",
        /// One, for egress; the task is reached by its private address.
        Assigned = "assigned",
        /// One, and the task is reached by it.
        Dialled = "dialled",
    }
}

words! {
    /// The kind of key that is made for each task.
    ClientKeyKind {
        /// Ed25519.
        Ed25519 = "ed25519",
        /// RSA with 3072 bits, for servers that know nothing newer.
        Rsa = "rsa",
    }
}

words! {
    /// The shells that gitlab-runner can write scripts for and that run in a task.
    Shell {
        /// `bash`.
        Bash = "bash",
        /// `sh`.
        Sh = "sh",
        /// Whatever gitlab-runner's own configuration names; each script's first line says it.
        Runner = "runner",
    }
}
