//! How the lifecycle of one task reads and changes the task, lets time pass, and receives orders.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;

use super::mounted_file_system::TaskFileSystems;
use super::resolved_secrets::ResolvedSecrets;
use crate::backend::container::PulledImage;
use crate::backend::relay::PublicAddressRelay;
use crate::cloud::CloudInstance;
use crate::fault::{CloudTaskIdentity, TaskFault};
use crate::services::ecs::state::task::CloudTask;
use crate::services::ecs::state::task_ending::CloudTaskEnding;
use crate::task_timing::TaskDelays;

/// What a lifecycle begins with.
pub(crate) struct LifecycleStart {
    pub region: String,
    pub id: String,
    pub fault: Option<TaskFault>,
    pub orders: watch::Receiver<Option<CloudTaskEnding>>,
}

/// The lifecycle of one task.
pub(super) struct TaskLifecycle {
    pub(super) cloud: Arc<CloudInstance>,
    pub(super) start: LifecycleStart,
    pub(super) named: CloudTaskIdentity,
    pub(super) delays: TaskDelays,
    /// When the present state began, according to the delays. If the clock is moved past the end of
    /// several delays, each begins where the one before ended.
    pub(super) entered: SystemTime,
    /// What the containers run, in their order, once the images are there.
    pub(super) images: Vec<PulledImage>,
    /// What is mounted, once that is done.
    pub(super) file_systems: TaskFileSystems,
    /// What the containers get beside their variables, once ECS has read it.
    pub(super) secrets: ResolvedSecrets,
    /// Present while the task has a public address.
    pub(super) relay: Option<PublicAddressRelay>,
}

impl TaskLifecycle {
    /// Changes the task under the lock and increases its version, as ECS does with each change for
    /// which it sends an event.
    pub(super) fn change<T>(
        &self,
        change: impl FnOnce(&mut CloudTask, SystemTime) -> T,
    ) -> Option<T> {
        let now = self.cloud.clock.now();
        let mut state = self.cloud.ecs();
        let task = state.task(&self.start.region, &self.start.id)?;
        task.remember(now);
        task.version += 1;
        Some(change(task, now))
    }

    /// Changes the task under the lock, without an event.
    pub(super) fn note<T>(
        &self,
        change: impl FnOnce(&mut CloudTask, SystemTime) -> T,
    ) -> Option<T> {
        let now = self.cloud.clock.now();
        let mut state = self.cloud.ecs();
        let task = state.task(&self.start.region, &self.start.id)?;
        task.remember(now);
        Some(change(task, now))
    }

    /// Decides how the task ends, unless that was decided before. Returns how it ends.
    pub(super) fn decide(&self, ending: CloudTaskEnding) -> CloudTaskEnding {
        let now = self.cloud.clock.now();
        let mut state = self.cloud.ecs();
        let Some(task) = state.task(&self.start.region, &self.start.id) else { return ending };
        task.decide(ending.clone(), now);
        task.ending.clone().unwrap_or(ending)
    }

    /// Reads the task under the lock.
    pub(super) fn read<T>(&self, read: impl FnOnce(&CloudTask) -> T) -> Option<T> {
        let mut state = self.cloud.ecs();
        let task = state.task(&self.start.region, &self.start.id)?;
        Some(read(task))
    }

    /// Lets `delay` pass, unless an order comes. A delay of zero takes no time.
    pub(super) async fn spend(&mut self, delay: Duration) -> Result<(), CloudTaskEnding> {
        let order = self.start.orders.borrow().clone();
        match order {
            Some(ending) => Err(ending),
            None if delay.is_zero() => Ok(()),
            None => {
                self.entered += delay;
                tokio::select! {
                    ending = ordered(&mut self.start.orders) => Err(ending),
                    () = self.cloud.clock.sleep_until(self.entered) => Ok(()),
                }
            }
        }
    }
}

/// Waits for an order that ends the task.
pub(super) async fn ordered(
    orders: &mut watch::Receiver<Option<CloudTaskEnding>>,
) -> CloudTaskEnding {
    let order = orders.wait_for(Option::is_some).await.map(|order| order.clone());
    match order {
        Ok(Some(ending)) => ending,
        // The task was removed from the state, and nobody can order its end any more.
        _ => CloudTaskEnding {
            at_once: true,
            ..CloudTaskEnding::gentle("InfrastructureHealth", "Task is gone.")
        },
    }
}
