//! What runs the containers of tasks on this machine. A backend owns all that depends on how they run:
//! addresses, images, volumes, processes, signals and output. It knows no ECS state and no time-outs.

pub mod container;
pub mod relay;

mod processes;

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use container::{
    ContainerId, ContainerPlan, ContainerStartError, ExitSender, RegistryLogin, StartedContainer,
    SubnetAddressFamily,
};
use processes::ProcessBackend;
use relay::PublicAddressRelay;

/// The backend of one cloud.
pub(crate) enum ContainerBackend {
    /// Each container is a process of this machine. No image is run.
    Processes(ProcessBackend),
}

impl ContainerBackend {
    /// Prepares to run containers as processes. The agent listens on `port` of each task's address;
    /// volumes and logs are below `folder`.
    pub fn processes(agent: PathBuf, folder: PathBuf, port: u16) -> io::Result<Self> {
        ProcessBackend::new(agent, folder, port).map(Self::Processes)
    }

    /// What the person who started the cloud should know.
    pub fn notice(&self) -> Option<&str> {
        match self {
            Self::Processes(backend) => backend.notice(),
        }
    }

    /// How many tasks may live at one time; `None` without a limit.
    pub fn task_limit(&self) -> Option<usize> {
        match self {
            Self::Processes(backend) => backend.task_limit(),
        }
    }

    /// Where file systems and logs are.
    pub fn folder(&self) -> &Path {
        match self {
            Self::Processes(backend) => backend.folder(),
        }
    }

    /// A free address in a subnet; `None` when the subnet is full.
    pub fn take_address(
        &self,
        region: &str,
        subnet: &str,
        family: SubnetAddressFamily,
    ) -> Option<IpAddr> {
        match self {
            Self::Processes(backend) => backend.take_address(region, subnet, family),
        }
    }

    /// The public address that belongs to a private one, where there is one.
    pub fn public_address_of(&self, private: IpAddr) -> Option<Ipv4Addr> {
        match self {
            Self::Processes(_) => processes::public_address_of(private),
        }
    }

    /// Makes an address free again.
    pub fn give_back_address(&self, address: IpAddr) {
        match self {
            Self::Processes(backend) => backend.give_back_address(address),
        }
    }

    /// Forwards connections from the public address to the private one until the relay is dropped,
    /// and counts them. `None` where this machine refuses the public address.
    pub async fn open_public_address(
        &self,
        public: Ipv4Addr,
        private: IpAddr,
        connections: Arc<AtomicUsize>,
    ) -> Option<PublicAddressRelay> {
        match self {
            Self::Processes(backend) => {
                let port = backend.port();
                let (public, private) = ((public, port).into(), (private, port).into());
                PublicAddressRelay::open(public, private, connections).await.ok()
            }
        }
    }

    /// Fetches the images of a task, each with the login of its registry where it needs one.
    pub async fn pull_images(
        &self,
        _images: &[(String, Option<RegistryLogin>)],
    ) -> Result<(), ContainerStartError> {
        match self {
            // A process runs no image; its program is on this machine already.
            Self::Processes(_) => Ok(()),
        }
    }

    /// Starts a container. Its exit code goes to `exits` together with `index`.
    pub async fn start(
        &self,
        plan: &ContainerPlan,
        index: usize,
        exits: ExitSender,
    ) -> Result<StartedContainer, ContainerStartError> {
        match self {
            Self::Processes(backend) => backend.start(plan, index, exits).await,
        }
    }

    /// Sends SIGTERM to a container, as soon as the container can receive it.
    pub async fn request_stop(&self, container: ContainerId) {
        match self {
            Self::Processes(backend) => backend.request_stop(container).await,
        }
    }

    /// Sends SIGKILL to a container.
    pub fn kill(&self, container: ContainerId) {
        match self {
            Self::Processes(backend) => backend.kill(container),
        }
    }

    /// Sends SIGKILL to every container.
    pub fn kill_all(&self) {
        match self {
            Self::Processes(backend) => backend.kill_all(),
        }
    }

    /// Deletes the volumes that only this task used; file systems stay.
    pub fn remove_volumes(&self, task: &str) {
        match self {
            Self::Processes(backend) => backend.remove_volumes(task),
        }
    }

    /// Waits until all output is written, or gives up. Containers must have ended before.
    pub async fn close(&self) {
        match self {
            Self::Processes(backend) => backend.close().await,
        }
    }
}
