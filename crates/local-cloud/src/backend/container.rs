//! What the rest of the cloud says to a backend, and what it gets back: a container to start, a
//! container that runs, and why one did not start.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use tokio::sync::{mpsc, oneshot};
use zeroize::Zeroize;

use crate::services::logs::streams::LogStreamWriter;

/// Takes the exit code of each container that ends, with the container's index in its task.
pub(crate) type ExitSender = mpsc::Sender<(usize, i32)>;

/// The address family of a subnet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SubnetAddressFamily {
    #[default]
    Four,
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
    /// The container's name.
    pub container: String,
    /// The program and its arguments; empty for the agent.
    pub argv: Vec<String>,
    /// In order; a later one replaces an earlier one.
    pub environment: Vec<(String, String)>,
    pub working_directory: Option<String>,
    pub mounts: Vec<VolumeMount>,
    pub address: IpAddr,
    /// Where its output goes beside the file.
    pub log_stream: Option<LogStreamWriter>,
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
    /// In a file system that all tasks share.
    FileSystem { id: String, place: FileSystemPlace },
    /// In the task alone, under this name. It ends with the task.
    Task { name: String },
}

/// Which part of a file system a volume shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FileSystemPlace {
    AccessPoint(String),
    Directory(String),
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
}
