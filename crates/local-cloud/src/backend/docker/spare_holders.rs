//! Spare network holders: one for each network that a task has used, started ahead, so that the next task
//! there waits for one container and not for two.
//!
//! A spare is made while nothing else starts, because on a busy machine it would slow down what starts. It
//! knows no tasks: whoever takes a spare has to remove it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use super::DockerCloud;
use super::network_holders::NetworkHolder;

/// How long no container may have been started before a spare is made. In this time the agent of a new
/// task starts, and its driver connects.
const QUIET_TIME: Duration = Duration::from_secs(1);

/// The spares of one cloud, and where some are missing.
#[derive(Debug, Default)]
pub struct SpareHolders {
    demand: watch::Sender<SpareDemand>,
}

#[derive(Debug, Default)]
struct SpareDemand {
    /// By network.
    ready: BTreeMap<String, NetworkHolder>,
    /// Networks that should have one.
    wanted: BTreeSet<String>,
    /// Containers that are being started.
    starting: usize,
    closed: bool,
}

/// Says until it is dropped that a container is being started.
pub struct ContainerStartGuard<'a> {
    spares: &'a SpareHolders,
}

impl Drop for ContainerStartGuard<'_> {
    fn drop(&mut self) {
        self.spares.demand.send_modify(|demand| demand.starting -= 1);
    }
}

impl SpareHolders {
    /// Tells that a container is being started, until the guard is dropped.
    pub fn begin_start(&self) -> ContainerStartGuard<'_> {
        self.demand.send_modify(|demand| demand.starting += 1);
        ContainerStartGuard { spares: self }
    }

    /// Asks for a spare of a network, unless it has one.
    pub fn want(&self, network: &str) {
        self.demand.send_modify(|demand| {
            if !demand.ready.contains_key(network) {
                demand.wanted.insert(network.to_owned());
            }
        });
    }

    /// The spare of a network. Whether it still runs is not known.
    pub fn take(&self, network: &str) -> Option<NetworkHolder> {
        let mut taken = None;
        self.demand.send_modify(|demand| taken = demand.ready.remove(network));
        taken
    }

    /// All spares, for example because their engine was lost.
    pub fn take_all(&self) -> Vec<NetworkHolder> {
        let mut taken = BTreeMap::new();
        self.demand.send_modify(|demand| taken = std::mem::take(&mut demand.ready));
        taken.into_values().collect()
    }

    /// From now on no spare is made. One that is being made is finished.
    pub fn close(&self) {
        self.demand.send_modify(|demand| demand.closed = true);
    }

    fn put(&self, network: String, spare: NetworkHolder) {
        self.demand.send_modify(|demand| drop(demand.ready.insert(network, spare)));
    }

    /// Waits until a network lacks its spare and nothing was started for a while; `None` at the end.
    async fn next_wanted(&self) -> Option<String> {
        let mut changes = self.demand.subscribe();
        loop {
            let may_begin = |demand: &SpareDemand| {
                demand.closed || demand.starting == 0 && !demand.wanted.is_empty()
            };
            // The sender lives as long as this value.
            if changes.wait_for(may_begin).await.ok()?.closed {
                return None;
            }
            tokio::select! {
                () = sleep(QUIET_TIME) => {}
                // A container starts, or the cloud ends.
                _ = changes.changed() => continue,
            }
            let mut next = None;
            self.demand.send_modify(|demand| next = demand.wanted.pop_first());
            return next;
        }
    }
}

/// Makes the spares that are wanted, one at a time, until [`SpareHolders::close`].
pub(super) async fn make_spares(cloud: Arc<DockerCloud>) {
    let mut made = 0_u64;
    while let Some(network) = cloud.spares.next_wanted().await {
        made += 1;
        let name = format!("fargate-local-{}-spare-{made}.network", cloud.labels.cloud);
        // Without a spare the next task makes its own holder, and asks for a spare again.
        if let Ok(spare) = cloud.make_holder(&network, &name, cloud.labels.of_cloud()).await {
            cloud.spares.put(network, spare);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use tokio::time::{Instant, timeout};

    use super::*;

    fn spare(id: &str) -> NetworkHolder {
        NetworkHolder { id: id.to_owned(), address: IpAddr::from([172, 18, 0, 2]) }
    }

    #[tokio::test(start_paused = true)]
    async fn a_spare_is_made_once_nothing_starts_and_each_network_has_one() {
        let spares = Arc::new(SpareHolders::default());
        let starting = spares.begin_start();
        spares.want("a");
        spares.want("a");
        let began = Instant::now();
        timeout(QUIET_TIME * 10, spares.next_wanted()).await.expect_err("a container starts");
        drop(starting);
        let ended = began.elapsed();
        assert_eq!(spares.next_wanted().await.as_deref(), Some("a"));
        assert!(began.elapsed() >= ended + QUIET_TIME);
        spares.put("a".to_owned(), spare("1"));
        spares.want("a");
        timeout(QUIET_TIME * 10, spares.next_wanted()).await.expect_err("it has one");
        assert_eq!(spares.take("a").map(|spare| spare.id).as_deref(), Some("1"));
        assert!(spares.take("a").is_none());
        spares.want("a");
        assert_eq!(spares.next_wanted().await.as_deref(), Some("a"));
    }

    #[tokio::test(start_paused = true)]
    async fn at_the_end_of_the_cloud_nobody_waits_for_quiet() {
        let spares = Arc::new(SpareHolders::default());
        spares.want("a");
        let waiting = tokio::spawn({
            let spares = Arc::clone(&spares);
            async move { spares.next_wanted().await }
        });
        tokio::task::yield_now().await;
        let began = Instant::now();
        spares.close();
        assert_eq!(waiting.await.expect("it ends"), None);
        assert_eq!(began.elapsed(), Duration::ZERO);
    }
}
