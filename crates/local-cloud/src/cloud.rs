//! What every request and every task of one cloud shares. It knows no service: each keeps its own
//! state in [`ServiceStates`].

use std::future::Future;
use std::sync::{Arc, Mutex};

use tokio::task::JoinSet;

use crate::backend::ContainerBackend;
use crate::clock::CloudClock;
use crate::fault::FaultEngine;
use crate::limits::{CloudRateLimits, TokenBuckets};
use crate::record::RequestLog;
use crate::rights::AccessRights;
use crate::services::states::ServiceStates;
use crate::task_roles::RunningTaskRoles;
use crate::wire::credentials::AcceptedKeys;

/// One cloud.
pub(crate) struct CloudInstance {
    pub clock: Arc<CloudClock>,
    pub keys: AcceptedKeys,
    pub faults: FaultEngine,
    pub buckets: TokenBuckets,
    pub rights: AccessRights,
    pub requests: RequestLog,
    pub backend: ContainerBackend,
    pub states: ServiceStates,
    pub task_roles: RunningTaskRoles,
    work: Mutex<JoinSet<()>>,
}

impl CloudInstance {
    pub fn new(
        keys: AcceptedKeys,
        limits: CloudRateLimits,
        backend: ContainerBackend,
        states: ServiceStates,
        task_roles: RunningTaskRoles,
    ) -> Self {
        Self {
            clock: Arc::new(CloudClock::start()),
            keys,
            faults: FaultEngine::none(),
            buckets: TokenBuckets::new(limits),
            rights: AccessRights::default(),
            requests: RequestLog::default(),
            backend,
            states,
            task_roles,
            work: Mutex::default(),
        }
    }

    /// Runs what goes on after a request is answered, for example the life of a task.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut all = self.work.lock().expect("no one panics while holding the work");
        // Drops what has ended, so that the set does not grow with every task.
        while all.try_join_next().is_some() {}
        all.spawn(work);
    }

    /// Waits until all that was spawned has ended.
    pub async fn join_work(&self) {
        // The lock is not held while waiting: work that still runs may spawn more.
        let mut all = {
            let mut all = self.work.lock().expect("no one panics while holding the work");
            std::mem::take(&mut *all)
        };
        while all.join_next().await.is_some() {}
    }
}
