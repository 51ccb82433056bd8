//! Runs the containers of tasks on a Docker Engine of this machine. A task is a container that holds its
//! network, and beside it one container for each of the task definition. One holder of each network is
//! started ahead (`spare_holders`).
//!
//! Everything on the engine carries the labels of its cloud, and is removed with its task or its cloud.
//! If the cloud is killed, the next cloud that uses the engine removes it.

pub mod engine;
pub mod engine_error;

mod container_body;
mod container_watch;
mod image_pull;
mod image_reference;
mod labels;
mod network_holders;
mod pause_image;
mod removal;
mod spare_holders;
mod subnet_networks;
mod task_containers;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;

use engine::{DockerEngine, EngineState};
use engine_error::{EngineError, EngineUnusable};
use labels::{CloudLabels, CloudProcess};
use pause_image::PauseImage;
use spare_holders::SpareHolders;
use subnet_networks::SubnetNetworks;
use task_containers::TaskContainers;

use super::address_blocks::{self, AddressBlocks};
use super::container::{ContainerStartError, ImagePull, PulledImage, SubnetAddressFamily};
use super::file_system_mounts::FileSystemMounts;
use crate::random_id;

/// Where the agent listens: the port of SSH, as on Fargate. Every task has an address of its own.
pub const AGENT_PORT: u16 = 22;
/// The networks 127.N.0.0/16 for public addresses. A cloud takes one of them by chance, so that clouds
/// beside each other seldom meet.
const PUBLIC_NETWORKS: std::ops::RangeInclusive<u8> = 82..=254;
/// How long what goes on may take to end when the cloud ends. All containers have ended by then.
const CLOSE_TIME: Duration = Duration::from_secs(5);

/// Starts and ends the containers of one cloud.
pub(crate) struct DockerBackend {
    shared: Arc<DockerCloud>,
    folder: PathBuf,
    file_systems: FileSystemMounts,
    public_network: u8,
    seats: Mutex<AddressBlocks>,
    containers: TaskContainers,
    /// Copies output, watches containers, and watches the engine.
    work: Mutex<JoinSet<()>>,
    notice: watch::Sender<String>,
}

/// What the parts of the backend share.
struct DockerCloud {
    engine: Arc<DockerEngine>,
    labels: CloudLabels,
    networks: SubnetNetworks,
    pause_image: PauseImage,
    spares: SpareHolders,
    unreleased: Mutex<UnreleasedThings>,
}

/// What nobody needs any more, and what the engine may still have.
#[derive(Default)]
struct UnreleasedThings {
    /// Tasks that have ended.
    tasks: BTreeSet<String>,
    /// Network holders, by the engine's ids. A holder that was a spare carries no label of its task.
    holders: BTreeSet<String>,
}

impl DockerBackend {
    /// Connects to an engine, and removes what a killed cloud left there.
    pub async fn open(given: Option<&str>, folder: PathBuf) -> Result<Self, EngineUnusable> {
        let engine = Arc::new(DockerEngine::connect(given).await?);
        let labels = CloudLabels {
            cloud: random_id::hex_digits(12),
            folder: folder.display().to_string(),
            process: CloudProcess::own(),
        };
        let shared = Arc::new(DockerCloud {
            engine,
            labels,
            networks: SubnetNetworks::default(),
            pause_image: PauseImage::default(),
            spares: SpareHolders::default(),
            unreleased: Mutex::default(),
        });
        shared.prepare().await?;
        let backend = Self {
            shared,
            file_systems: FileSystemMounts::new(&folder),
            folder,
            public_network: fastrand::u8(PUBLIC_NETWORKS),
            seats: Mutex::default(),
            containers: TaskContainers::default(),
            work: Mutex::default(),
            notice: watch::Sender::default(),
        };
        backend.spawn(watch_engine(Arc::clone(&backend.shared), backend.notice.clone()));
        backend.spawn(spare_holders::make_spares(Arc::clone(&backend.shared)));
        Ok(backend)
    }

    /// What the person who started the cloud should know of its engine.
    pub fn notice(&self) -> watch::Receiver<String> {
        self.notice.subscribe()
    }

    /// The file systems that tasks mount.
    pub fn file_systems(&self) -> &FileSystemMounts {
        &self.file_systems
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The address by which tasks of a subnet reach this machine.
    pub async fn host_address(&self, region: &str, subnet: &str) -> Result<IpAddr, EngineError> {
        let DockerCloud { engine, labels, networks, .. } = &*self.shared;
        let network = networks.ensure(engine, labels, region, subnet).await?;
        networks.gateway(engine, &network).await
    }

    /// A place in a subnet; `None` when the subnet is full. Subnets for IPv6 alone are always full: the
    /// networks here have IPv4 addresses.
    pub fn take_seat(
        &self,
        region: &str,
        subnet: &str,
        family: SubnetAddressFamily,
    ) -> Option<IpAddr> {
        match family {
            SubnetAddressFamily::Four => self.seats().take(region, subnet, family),
            SubnetAddressFamily::Six => None,
        }
    }

    pub fn give_back_seat(&self, seat: IpAddr) {
        self.seats().give_back(seat);
    }

    pub fn public_address_of(&self, seat: IpAddr) -> Option<Ipv4Addr> {
        address_blocks::public_address_of(seat, self.public_network)
    }

    fn seats(&self) -> MutexGuard<'_, AddressBlocks> {
        self.seats.lock().expect("no one panics while holding the seats")
    }

    /// Fetches the images of a task, in this order; each once.
    pub async fn pull_images(
        &self,
        pulls: &[ImagePull],
    ) -> Result<Vec<PulledImage>, ContainerStartError> {
        let mut known: BTreeMap<&str, PulledImage> = BTreeMap::new();
        let mut images = Vec::new();
        for pull in pulls {
            // Another container may name the same image with another login.
            let found = known.get(pull.image.as_str()).filter(|_| pull.login.is_none());
            let image = match found {
                Some(image) => image.clone(),
                None => image_pull::pull(&self.shared.engine, pull).await?,
            };
            known.insert(&pull.image, image.clone());
            images.push(image);
        }
        Ok(images)
    }

    /// Removes the containers and volumes of a task. What an engine that does not answer has of it is
    /// removed once it answers.
    pub async fn release_task(&self, task: &str) {
        let holder = self.containers.forget(task);
        self.shared.release(task, holder).await;
    }

    /// Ends what goes on, and removes the networks and whatever else is left.
    pub async fn close(&self) {
        self.shared.spares.close();
        let mut work = std::mem::take(&mut *self.work());
        // The watch of the engine never ends by itself; the others have ended, or wait for an engine
        // that is gone.
        let all = async {
            while work.len() > 1 {
                work.join_next().await;
            }
        };
        // An error means that some did not end in time; then they are stopped.
        let _ = timeout(CLOSE_TIME, all).await;
        work.shutdown().await;
        self.shared.networks.forget().await;
        // An engine that does not answer keeps what it has; the next cloud removes it.
        let _ = removal::remove_cloud(&self.shared.engine, &self.shared.labels.cloud).await;
    }

    /// Runs something that ends with its container, or with the cloud.
    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        let mut all = self.work();
        while all.try_join_next().is_some() {}
        all.spawn(work)
    }

    fn work(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.work.lock().expect("no one panics while holding the work")
    }
}

impl DockerCloud {
    async fn prepare(&self) -> Result<(), EngineUnusable> {
        let no_answer = |error: EngineError| EngineUnusable::NoAnswer {
            address: self.engine.address().to_owned(),
            text: error.to_string(),
        };
        self.pause_image.known(&self.engine).await.map_err(no_answer)?;
        let ended = removal::ended_clouds(&self.engine, &self.labels).await.map_err(no_answer)?;
        for cloud in ended {
            removal::remove_cloud(&self.engine, &cloud).await.map_err(no_answer)?;
        }
        Ok(())
    }

    /// Removes what the engine has of a task.
    async fn release(&self, task: &str, holder: Option<String>) {
        {
            let mut unreleased = self.unreleased();
            unreleased.tasks.insert(task.to_owned());
            unreleased.holders.extend(holder.clone());
        }
        if removal::remove_task(&self.engine, &self.labels, task).await.is_ok() {
            self.unreleased().tasks.remove(task);
        }
        if let Some(holder) = holder {
            self.discard(holder).await;
        }
    }

    /// Removes a network holder.
    async fn discard(&self, holder: String) {
        self.unreleased().holders.insert(holder.clone());
        if removal::remove_container(&self.engine, &holder).await.is_ok() {
            self.unreleased().holders.remove(&holder);
        }
    }

    /// Removes what the engine still has of ended tasks, and the spares, which ended with it.
    async fn release_all(&self) {
        for spare in self.spares.take_all() {
            self.discard(spare.id).await;
        }
        let (tasks, holders) = {
            let unreleased = self.unreleased();
            (unreleased.tasks.clone(), unreleased.holders.clone())
        };
        for task in tasks {
            self.release(&task, None).await;
        }
        for holder in holders {
            self.discard(holder).await;
        }
    }

    fn unreleased(&self) -> MutexGuard<'_, UnreleasedThings> {
        self.unreleased.lock().expect("no one panics while holding what is unreleased")
    }
}

/// Watches the engine, tells when it is lost and when it answers again, and then removes what it still
/// has of tasks that ended meanwhile.
async fn watch_engine(cloud: Arc<DockerCloud>, notice: watch::Sender<String>) {
    let mut changes = cloud.engine.changes();
    let told = async {
        // The engine lives as long as this, so the channel is never closed.
        while changes.changed().await.is_ok() {
            let state = *changes.borrow_and_update();
            let address = cloud.engine.address();
            if state == EngineState::Lost {
                notice.send_replace(format!(
                    "the Docker Engine at {address} does not answer: its tasks were stopped, and no \
                     task starts until it answers"
                ));
                continue;
            }
            cloud.release_all().await;
            notice.send_replace(format!("the Docker Engine at {address} answers again"));
        }
    };
    tokio::select! {
        never = cloud.engine.watch() => match never {},
        () = told => {}
    }
}
