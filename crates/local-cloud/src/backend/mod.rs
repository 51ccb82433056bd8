//! What runs the containers of tasks on this machine. A backend owns all that depends on how they run:
//! addresses, images, volumes, processes, signals and output. It knows no ECS state and no time-outs of
//! ECS.

pub mod container;
pub mod relay;

mod address_blocks;
mod container_log;
pub(crate) mod docker;
pub(crate) mod file_system_mounts;
mod identity_mount;
mod processes;
mod readiness;
mod volumes;

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use tokio::sync::watch;

use container::{
    ContainerEventSender, ContainerId, ContainerPlan, ContainerStartError, ImagePull,
    InterfaceRequest, PulledImage, StartedContainer, SubnetAddressFamily,
};
use docker::DockerBackend;
use docker::engine_error::EngineUnusable;
use file_system_mounts::FileSystemMounts;
use processes::ProcessBackend;
use relay::PublicAddressRelay;

/// N of 127.N.0.0/16, in which the processes of tasks have their public addresses.
const PUBLIC_NETWORK: u8 = 81;

/// The backend of one cloud.
pub(crate) enum ContainerBackend {
    /// Each container is a process of this machine. No image is run.
    Processes(Box<ProcessBackend>),
    /// Each container is one of a Docker Engine on this machine.
    Docker(Box<DockerBackend>),
}

impl ContainerBackend {
    /// Prepares to run containers as processes. The agent listens on `port` of each task's address;
    /// volumes and logs are below `folder`.
    pub fn processes(agent: PathBuf, folder: PathBuf, port: u16) -> io::Result<Self> {
        ProcessBackend::new(agent, folder, port).map(|backend| Self::Processes(Box::new(backend)))
    }

    /// Prepares to run containers on a Docker Engine; logs and file systems are below `folder`. Removes
    /// what a cloud left there that was killed.
    pub async fn docker(engine: Option<&str>, folder: PathBuf) -> Result<Self, EngineUnusable> {
        DockerBackend::open(engine, folder).await.map(|backend| Self::Docker(Box::new(backend)))
    }

    /// What the person who started the cloud should know.
    pub fn notice(&self) -> Option<&str> {
        match self {
            Self::Processes(backend) => backend.notice(),
            Self::Docker(_) => None,
        }
    }

    /// What the person who started the cloud should know now, each time that it changes; empty while
    /// there is nothing. `None` where nothing can change.
    pub fn changing_notice(&self) -> Option<watch::Receiver<String>> {
        match self {
            Self::Processes(_) => None,
            Self::Docker(backend) => Some(backend.notice()),
        }
    }

    /// How many tasks may live at one time; `None` without a limit.
    pub fn task_limit(&self) -> Option<usize> {
        match self {
            Self::Processes(backend) => backend.task_limit(),
            Self::Docker(_) => None,
        }
    }

    /// Where file systems and logs are.
    pub fn folder(&self) -> &Path {
        match self {
            Self::Processes(backend) => backend.folder(),
            Self::Docker(backend) => backend.folder(),
        }
    }

    /// The port of a task's address on which the agent listens.
    pub fn agent_port(&self) -> u16 {
        match self {
            Self::Processes(backend) => backend.port(),
            Self::Docker(_) => docker::AGENT_PORT,
        }
    }

    /// The address by which tasks of a subnet reach this machine; an error is a sentence.
    pub async fn host_address(&self, region: &str, subnet: &str) -> Result<IpAddr, String> {
        match self {
            // They have the machine's own network.
            Self::Processes(_) => Ok(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            Self::Docker(backend) => {
                let address = backend.host_address(region, subnet).await;
                address.map_err(|error| error.to_string())
            }
        }
    }

    /// Whether containers run their images. Otherwise a container without a command runs the agent, and
    /// only one of a task does.
    pub fn runs_images(&self) -> bool {
        match self {
            Self::Processes(_) => false,
            Self::Docker(_) => true,
        }
    }

    /// A place in a subnet; `None` when the subnet is full.
    pub fn take_seat(
        &self,
        region: &str,
        subnet: &str,
        family: SubnetAddressFamily,
    ) -> Option<IpAddr> {
        match self {
            Self::Processes(backend) => backend.take_address(region, subnet, family),
            Self::Docker(backend) => backend.take_seat(region, subnet, family),
        }
    }

    /// The address that belongs to a seat, where it is known before the interface is attached.
    pub fn address_of(&self, seat: IpAddr) -> Option<IpAddr> {
        match self {
            Self::Processes(_) => Some(seat),
            Self::Docker(_) => None,
        }
    }

    /// The public address that belongs to a seat, where there is one.
    pub fn public_address_of(&self, seat: IpAddr) -> Option<Ipv4Addr> {
        match self {
            Self::Processes(_) => address_blocks::public_address_of(seat, PUBLIC_NETWORK),
            Self::Docker(backend) => backend.public_address_of(seat),
        }
    }

    /// Makes a seat free again.
    pub fn give_back_seat(&self, seat: IpAddr) {
        match self {
            Self::Processes(backend) => backend.give_back_address(seat),
            Self::Docker(backend) => backend.give_back_seat(seat),
        }
    }

    /// Makes the network interface of a task, and gives its address.
    pub async fn attach_interface(
        &self,
        request: &InterfaceRequest,
    ) -> Result<IpAddr, ContainerStartError> {
        match self {
            // Every address of the loopback network is there already.
            Self::Processes(_) => Ok(request.seat),
            Self::Docker(backend) => backend.attach_interface(request).await,
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
        let port = self.agent_port();
        let (public, private) = ((public, port).into(), (private, port).into());
        PublicAddressRelay::open(public, private, connections).await.ok()
    }

    /// Fetches the images of a task, in this order.
    pub async fn pull_images(
        &self,
        pulls: &[ImagePull],
    ) -> Result<Vec<PulledImage>, ContainerStartError> {
        match self {
            // A process runs no image; its program is on this machine already.
            Self::Processes(_) => {
                Ok(pulls.iter().map(|pull| PulledImage::unpulled(&pull.image)).collect())
            }
            Self::Docker(backend) => backend.pull_images(pulls).await,
        }
    }

    /// Starts a container. What happens to it goes to `events` together with `index`.
    pub async fn start(
        &self,
        plan: &ContainerPlan,
        index: usize,
        events: ContainerEventSender,
    ) -> Result<StartedContainer, ContainerStartError> {
        match self {
            Self::Processes(backend) => backend.start(plan, index, events).await,
            Self::Docker(backend) => backend.start(plan, index, events).await,
        }
    }

    /// Sends SIGTERM to a container, as soon as the container can receive it.
    pub async fn request_stop(&self, container: ContainerId) {
        match self {
            Self::Processes(backend) => backend.request_stop(container).await,
            Self::Docker(backend) => backend.request_stop(container).await,
        }
    }

    /// Sends SIGKILL to a container.
    pub async fn kill(&self, container: ContainerId) {
        match self {
            Self::Processes(backend) => backend.kill(container),
            Self::Docker(backend) => backend.kill(container).await,
        }
    }

    /// The file systems that tasks mount.
    pub fn file_systems(&self) -> &FileSystemMounts {
        match self {
            Self::Processes(backend) => backend.file_systems(),
            Self::Docker(backend) => backend.file_systems(),
        }
    }

    /// Deletes the files of a file system. Tasks that have it mounted lose them.
    pub fn delete_file_system(&self, id: &str) {
        volumes::remove_file_system(id, self.folder());
    }

    /// Sends SIGKILL to every process. Containers of an engine end with their tasks.
    pub fn kill_all(&self) {
        match self {
            Self::Processes(backend) => backend.kill_all(),
            Self::Docker(_) => {}
        }
        self.file_systems().release_all();
    }

    /// Removes what only this task used: its network interface, containers and volumes. File systems
    /// stay.
    pub async fn release_task(&self, task: &str) {
        match self {
            Self::Processes(backend) => backend.remove_volumes(task),
            Self::Docker(backend) => backend.release_task(task).await,
        }
        self.file_systems().release(task).await;
    }

    /// Waits until all output is written, or gives up, and removes what the cloud itself made.
    /// Containers must have ended before.
    pub async fn close(&self) {
        match self {
            Self::Processes(backend) => backend.close().await,
            Self::Docker(backend) => backend.close().await,
        }
    }
}
