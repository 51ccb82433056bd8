//! What the rest of the cloud says to a backend, and what it gets back: a container to start, a
//! container that runs, and why one did not start.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use zeroize::Zeroize;

use crate::services::logs::streams::LogStreamWriter;

/// Takes what happens to the containers of one task.
pub(crate) type ContainerEventSender = mpsc::Sender<ContainerEvent>;

/// What happened to one container.
#[derive(Debug)]
pub(crate) struct ContainerEvent {
    /// Its index in its task.
    pub index: usize,
    pub change: ContainerChange,
}

/// How a container changed.
#[derive(Debug)]
pub(crate) enum ContainerChange {
    /// Its first process ended. The reason is what ECS says beside the code.
    Exited { code: i32, reason: Option<String> },
    /// What ran it is gone, so nobody knows how it ended.
    Lost,
    /// Its health check has another result.
    Health(ContainerHealth),
}

/// The result of a container's health check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ContainerHealth {
    #[default]
    Unknown,
    Healthy,
    Unhealthy,
}

impl ContainerHealth {
    /// How ECS writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unknown => "UNKNOWN",
            Self::Healthy => "HEALTHY",
            Self::Unhealthy => "UNHEALTHY",
        }
    }
}

impl ContainerEvent {
    /// An end without a word beside the code.
    pub fn exited(index: usize, code: i32) -> Self {
        Self { index, change: ContainerChange::Exited { code, reason: None } }
    }
}

/// The address family of a subnet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SubnetAddressFamily {
    /// IPv4.
    #[default]
    Four,
    /// IPv6 alone.
    Six,
}

/// The login of a private registry. Dropping it overwrites the password in memory.
pub(crate) struct RegistryLogin {
    pub username: String,
    pub password: String,
}

impl fmt::Debug for RegistryLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistryLogin").field("username", &self.username).finish_non_exhaustive()
    }
}

impl Drop for RegistryLogin {
    fn drop(&mut self) {
        self.password.zeroize();
    }
}

/// One container to start.
pub(crate) struct ContainerPlan {
    /// The task's id.
    pub task: String,
    pub task_arn: String,
    /// The container's name.
    pub container: String,
    /// What the backend pulled for it.
    pub image: PulledImage,
    /// In place of the image's own, where one is given.
    pub entry_point: Option<Vec<String>>,
    /// As `entry_point`.
    pub command: Option<Vec<String>>,
    /// In order; a later one replaces an earlier one.
    pub environment: Vec<(String, String)>,
    pub working_directory: Option<String>,
    pub mounts: Vec<VolumeMount>,
    pub address: IpAddr,
    /// Where its output goes beside the file.
    pub log_stream: Option<LogStreamWriter>,
    pub settings: ContainerSettings,
}

impl ContainerPlan {
    /// The program and its arguments that the task definition gives; empty where it leaves both to the
    /// image.
    pub fn argv(&self) -> Vec<String> {
        self.entry_point.iter().chain(&self.command).flatten().cloned().collect()
    }

    /// A plan with nothing but its names.
    #[cfg(test)]
    pub fn bare(task: &str, container: &str, address: IpAddr) -> Self {
        Self {
            task: task.to_owned(),
            task_arn: format!("arn:aws:ecs:eu-west-1:123456789012:task/ci/{task}"),
            container: container.to_owned(),
            image: PulledImage::unpulled("debian"),
            entry_point: None,
            command: None,
            environment: Vec::new(),
            working_directory: None,
            mounts: Vec::new(),
            address,
            log_stream: None,
            settings: ContainerSettings::default(),
        }
    }
}

/// What limits a container, and how it is set up beside its program. `None` leaves it to the image or
/// to Fargate's default.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ContainerSettings {
    /// `USER` or `USER:GROUP`, by name or number.
    pub user: Option<String>,
    /// A first process that reaps orphans and passes signals on.
    pub init_process: bool,
    pub read_only_root: bool,
    pub pseudo_terminal: bool,
    /// 1024 are one processor. Its share beside the other containers of the task.
    pub cpu_units: Option<i32>,
    /// At more than this, the container is killed.
    pub memory_mib: Option<i32>,
    pub memory_reservation_mib: Option<i32>,
    /// The size of the whole task.
    pub task_cpu_units: u32,
    pub task_memory_mib: u32,
    pub memory_folders: Vec<MemoryFolder>,
    pub ulimits: Vec<ContainerUlimit>,
    pub added_capabilities: Vec<String>,
    pub dropped_capabilities: Vec<String>,
    pub labels: Vec<(String, String)>,
    pub health_probe: Option<HealthProbe>,
}

/// A folder of a container that lies in memory and ends with the container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MemoryFolder {
    pub path: PathBuf,
    /// A write beyond it fails.
    pub size_mib: u32,
    /// Mount options, as the task definition writes them.
    pub options: Vec<String>,
}

/// One limit of the kernel for each process of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ContainerUlimit {
    pub name: String,
    pub soft: i32,
    pub hard: i32,
}

/// How the health of a container is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HealthProbe {
    /// `CMD` and the program's words, or `CMD-SHELL` and one line.
    pub command: Vec<String>,
    pub interval: Duration,
    pub timeout: Duration,
    pub retries: u32,
    pub start_period: Duration,
}

/// One image to pull.
#[derive(Debug)]
pub(crate) struct ImagePull {
    /// As the task definition names it.
    pub image: String,
    /// The login of the task definition's `repositoryCredentials`.
    pub login: Option<RegistryLogin>,
    pub architecture: ImageArchitecture,
}

/// The processor for which an image must be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ImageArchitecture {
    X86_64,
    Arm64,
}

impl ImageArchitecture {
    /// How image manifests write it.
    pub fn word(self) -> &'static str {
        match self {
            Self::X86_64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }
}

/// An image that can be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PulledImage {
    /// By which the backend finds exactly this image.
    pub id: String,
    /// The digest of its manifest, `sha256:` and 64 digits, where a registry gave one.
    pub digest: Option<String>,
    /// The signal by which it wants to be told to end, where it names one.
    pub stop_signal: Option<String>,
}

impl PulledImage {
    /// An image that was not pulled, because this backend runs none.
    pub fn unpulled(image: &str) -> Self {
        Self { id: image.to_owned(), digest: None, stop_signal: None }
    }
}

/// What a task's network interface needs of the backend.
#[derive(Clone, Debug)]
pub(crate) struct InterfaceRequest {
    /// The task's id.
    pub task: String,
    pub task_arn: String,
    pub region: String,
    pub subnet: String,
    /// The place that the task took in its subnet.
    pub seat: IpAddr,
}

/// A volume that a container sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VolumeMount {
    pub source: VolumeSource,
    pub path: PathBuf,
    pub read_only: bool,
}

/// Where the files of a volume are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum VolumeSource {
    /// In this folder of this machine, a part of a file system that tasks share.
    Folder(PathBuf),
    /// In the task alone, under this name. It ends with the task.
    Task { name: String },
}

/// A part of a file system that a task mounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileSystemVolume {
    pub id: String,
    /// The folder in it; begins with `/`.
    pub directory: String,
    /// How the folder is made when it is missing.
    pub making: Option<FolderMaking>,
    /// Who owns what is made there; `None` for whoever makes it.
    pub owner: Option<FileOwner>,
    /// Somebody who is neither root nor the owner works there.
    pub is_for_all_users: bool,
}

/// How a missing folder is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FolderMaking {
    pub owner: FileOwner,
    pub mode: u32,
}

/// A user and a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileOwner {
    pub uid: u32,
    pub gid: u32,
}

/// A container that runs.
pub(crate) struct StartedContainer {
    pub id: ContainerId,
    pub local: LocalContainer,
    /// Done when all output is in the log.
    pub logged: oneshot::Receiver<()>,
}

/// The number by which a backend finds a container that it started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ContainerId(pub u32);

/// What can be seen of a container on this machine.
#[derive(Clone, Debug)]
pub(crate) struct LocalContainer {
    /// Its first process, as this machine numbers it, while it runs.
    pub pid: Option<i32>,
    /// The file with its output.
    pub log: PathBuf,
}

impl LocalContainer {
    /// Its first process has ended.
    pub fn end(&mut self) {
        self.pid = None;
    }
}

/// Why a container did not start; the text is what ECS would show as its reason.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ContainerStartError {
    #[error(
        "CannotStartContainerError: ResourceInitializationError: failed to create new container \
         runtime task: failed to create shim task: OCI runtime create failed: runc create failed: \
         unable to start container process: exec: {program:?}: executable file not found in $PATH: \
         unknown"
    )]
    NoProgram { program: String },
    #[error(
        "CannotStartContainerError: the agent of the local cloud is not at {}; build it with \
         `make agent`, or name it with FARGATE_AGENT", agent.display()
    )]
    NoAgent { agent: PathBuf },
    #[error("CannotStartContainerError: {what}: {source}")]
    System { what: &'static str, source: std::io::Error },
    #[error("CannotPullContainerError: {problem}")]
    NoImage { problem: String },
    /// The engine refused to make or to start the container.
    #[error("CannotStartContainerError: {problem}")]
    Refused { problem: String },
    #[error(
        "ContainerRuntimeTimeoutError: Could not transition to running; timed out after waiting 1m"
    )]
    Slow,
    #[error(
        "Unexpected EC2 error while attempting to Create Network Interface with public IP \
         assignment disabled in subnet '{subnet}': InsufficientFreeAddressesInSubnet"
    )]
    SubnetFull { subnet: String },
    #[error("InternalError: {problem}")]
    Engine { problem: String },
    #[error(
        "InternalError: opening the credentials endpoint of the task's role at {host}, the address of \
         this machine in the task's network: {source}; use an engine whose networks are on this machine, \
         or a task definition without taskRoleArn"
    )]
    NoRoleCredentials { host: IpAddr, source: std::io::Error },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_that_cannot_be_given_is_told_with_the_way_out() {
        let source = std::io::Error::from(std::io::ErrorKind::AddrNotAvailable);
        let host = IpAddr::from([172, 18, 0, 1]);
        let error = ContainerStartError::NoRoleCredentials { host, source };
        insta::assert_snapshot!(error, @"InternalError: opening the credentials endpoint of the task's role at 172.18.0.1, the address of this machine in the task's network: address not available; use an engine whose networks are on this machine, or a task definition without taskRoleArn");
    }
}
