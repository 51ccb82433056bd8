//! What runs on a host for as long as the host has a daemon: the watch over its tasks, the socket at which its
//! processes ask, the reaper, and the queue of tasks that people want stopped.
//!
//! Jobs need none of it. It serves no pages and keeps no history.

use std::time::Duration;

use fargate_aws::CallCounter;
use fargate_driver::daemon::TaskPlace;
use fargate_files::{FileError, FileLock};
use fargate_state::StateFolder;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::account_cluster::ClusterSet;
use crate::daemon_socket::{DaemonSocket, tell_no_socket};
use crate::host_watch::HostWatch;
use crate::read_budget::ReadBudget;
use crate::reap_error::ReaperSettings;
use crate::reap_loop::{ReapCondition, reap_always};
use crate::stop_queue::{StopOrder, StopQueue, carry_out};
use crate::watch_loop::watch_cluster;

/// Pause before something that could not be opened is tried again.
const OPEN_AGAIN: Duration = Duration::from_secs(10);

/// The daemon of one host.
#[derive(Debug)]
pub struct HostDaemon {
    settings: ReaperSettings,
    watch: HostWatch,
    reaps: watch::Sender<ReapCondition>,
    stops: StopQueue,
    orders: mpsc::Receiver<StopOrder>,
    _sole: FileLock,
}

impl HostDaemon {
    /// Claims this host, whose state folder must exist.
    ///
    /// # Errors
    ///
    /// [`FileError::Held`] if another daemon has it, and [`FileError`] if the folder cannot be used.
    pub fn claim(settings: ReaperSettings) -> Result<Self, FileError> {
        let _sole = FileLock::take_now(&settings.state_dir.join("locks").join("daemon"))?;
        let (watch, reaps) = (HostWatch::default(), watch::Sender::default());
        let (stops, orders) = StopQueue::new();
        Ok(Self { settings, watch, reaps, stops, orders, _sole })
    }

    /// What is known of the tasks of this host.
    #[must_use]
    pub fn watch(&self) -> HostWatch {
        self.watch.clone()
    }

    /// How often ECS was called, and what came of it.
    #[must_use]
    pub fn calls(&self) -> CallCounter {
        self.settings.calls.clone()
    }

    /// How the reaper does.
    #[must_use]
    pub fn reaps(&self) -> watch::Receiver<ReapCondition> {
        self.reaps.subscribe()
    }

    /// Where people let tasks be stopped. It takes orders until the daemon ends.
    #[must_use]
    pub fn stops(&self) -> StopQueue {
        self.stops.clone()
    }

    /// Runs until `until` ends. Everything that it began has ended then.
    pub async fn run(self, until: impl Future<Output = ()>) {
        let Self { settings, watch, reaps, orders, stops: _, _sole } = self;
        let reaping = reap_always(settings.clone(), watch.clone(), reaps);
        tokio::select! {
            () = until => {}
            () = reaping => {}
            () = watch_and_answer(&settings, &watch) => {}
            () = carry_out(settings.clone(), orders) => {}
        }
    }
}

async fn watch_and_answer(settings: &ReaperSettings, watch: &HostWatch) {
    let within = settings.profiles.first().map(|profile| profile.timeouts.state_lock);
    let folder = loop {
        let folder = StateFolder::existing(&settings.state_dir, within.unwrap_or(OPEN_AGAIN));
        match folder {
            Ok(folder) => break folder,
            // The reaper says the same, and keeps it for the page.
            Err(_) => sleep(OPEN_AGAIN).await,
        }
    };
    let profiles = settings.profiles.clone();
    let counted = (&settings.masker, &settings.calls);
    let clusters = ClusterSet::open(Some(&folder), profiles, counted).await;
    let (told, places) = tokio::sync::watch::channel(Vec::new());
    tokio::join!(watch_all(clusters, watch, told), answer_always(settings, watch, places));
}

/// Watches each cluster as soon as it can be reached, and tells which ones are watched. Never ends. What cannot
/// be reached is told by each sweep.
async fn watch_all(
    mut clusters: ClusterSet,
    watch: &HostWatch,
    told: tokio::sync::watch::Sender<Vec<TaskPlace>>,
) {
    let budget = ReadBudget::default();
    let mut loops = JoinSet::new();
    loop {
        let new = clusters.clusters().iter().skip(loops.len());
        for cluster in new.cloned().collect::<Vec<_>>() {
            told.send_modify(|places| places.push(cluster.ecs.place(&cluster.cluster)));
            loops.spawn(watch_cluster(cluster, watch.clone(), budget.clone()));
        }
        if clusters.is_whole() {
            std::future::pending::<()>().await;
        }
        sleep(OPEN_AGAIN).await;
        clusters.reach().await;
    }
}

/// Answers at the socket. Never ends.
async fn answer_always(
    settings: &ReaperSettings,
    watch: &HostWatch,
    places: tokio::sync::watch::Receiver<Vec<TaskPlace>>,
) {
    loop {
        match DaemonSocket::bind(&settings.state_dir) {
            Ok(socket) => socket.answer(watch.clone(), places.clone()).await,
            Err(error) => tell_no_socket(&error),
        }
        sleep(OPEN_AGAIN).await;
    }
}
