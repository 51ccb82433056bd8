//! What every request and every task of one cloud shares.

use std::sync::{Arc, Mutex, MutexGuard};

use tokio::task::JoinSet;

use crate::backend::ContainerBackend;
use crate::clock::CloudClock;
use crate::fault::FaultEngine;
use crate::lifecycle::{self, LifecycleStart};
use crate::limits::{CloudRateLimits, TokenBuckets};
use crate::record::RequestLog;
use crate::rights::AccessRights;
use crate::state::CloudResources;
use crate::state::task::CloudTaskEnding;
use crate::task_timing::DelayGenerator;
use crate::wire::credentials::AcceptedKeys;

/// One cloud.
pub(crate) struct CloudInstance {
    pub clock: Arc<CloudClock>,
    pub keys: AcceptedKeys,
    pub faults: FaultEngine,
    pub buckets: TokenBuckets,
    pub rights: AccessRights,
    pub requests: RequestLog,
    pub timetable: DelayGenerator,
    pub backend: ContainerBackend,
    state: Mutex<CloudResources>,
    lives: Mutex<JoinSet<()>>,
}

impl CloudInstance {
    /// A cloud without a server and without an agent.
    #[cfg(test)]
    pub fn for_tests(pace: crate::TaskTiming, empty: bool) -> Arc<Self> {
        Self::without_server(pace, CloudRateLimits::none(), empty)
    }

    /// As above, furnished and without delays.
    #[cfg(test)]
    pub fn with_limits(limits: CloudRateLimits) -> Arc<Self> {
        Self::without_server(crate::TaskTiming::Instant, limits, false)
    }

    #[cfg(test)]
    fn without_server(pace: crate::TaskTiming, limits: CloudRateLimits, empty: bool) -> Arc<Self> {
        let keys = AcceptedKeys::new(&crate::AccessKeyPair::new("test", "test"));
        let folder = std::env::temp_dir().join("fargate-local-without-server");
        let backend = ContainerBackend::new("no-agent".into(), folder, 4000).expect("a backend");
        Arc::new(Self::new(keys, DelayGenerator::new(pace, 1), limits, backend, empty))
    }

    pub fn new(
        keys: AcceptedKeys,
        timetable: DelayGenerator,
        limits: CloudRateLimits,
        backend: ContainerBackend,
        empty: bool,
    ) -> Self {
        Self {
            clock: Arc::new(CloudClock::start()),
            keys,
            faults: FaultEngine::none(),
            buckets: TokenBuckets::new(limits),
            rights: AccessRights::default(),
            requests: RequestLog::default(),
            timetable,
            backend,
            state: Mutex::new(CloudResources::new(empty)),
            lives: Mutex::default(),
        }
    }

    /// The state. Never held across an await.
    pub fn state(&self) -> MutexGuard<'_, CloudResources> {
        self.state.lock().expect("no one panics while holding the state")
    }

    /// Lets a task that RunTask made live its life.
    pub fn live(self: &Arc<Self>, start: LifecycleStart) {
        let mut lives = self.lives.lock().expect("no one panics while holding the lives");
        while lives.try_join_next().is_some() {}
        lives.spawn(lifecycle::live(Arc::clone(self), start));
    }

    /// Tells every task to end at once.
    pub fn order_all_to_end(&self) {
        let ending = CloudTaskEnding {
            at_once: true,
            ..CloudTaskEnding::gentle("InfrastructureHealth", "The local cloud was shut down.")
        };
        self.state().order_all(&ending, self.clock.now());
    }

    /// Ends every task at once and waits for their lives to end.
    pub async fn end_all_tasks(&self) {
        self.order_all_to_end();
        self.backend.kill_all();
        let mut lives = {
            let mut lives = self.lives.lock().expect("no one panics while holding the lives");
            std::mem::take(&mut *lives)
        };
        while lives.join_next().await.is_some() {}
    }
}
