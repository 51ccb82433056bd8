//! What makes a task move on: time, its processes, and orders to end. One lifecycle per task, from
//! PROVISIONING to STOPPED; nothing moves because somebody looked.

mod containers;
mod faults;
mod phases;
mod relay;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fargate_model::task::TaskStatus;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::cloud::CloudInstance;
use crate::fault::{CloudTaskIdentity, TaskFault};
use crate::state::task::{CloudTask, CloudTaskEnding, InterfaceStatus};
use crate::task_timing::TaskDelays;
use containers::RunningContainers;
use relay::PublicAddressRelay;

/// How long a log may take to be complete after its container ended.
const LOG_DEADLINE: Duration = Duration::from_secs(1);

/// What a lifecycle begins with.
pub(crate) struct LifecycleStart {
    pub region: String,
    pub id: String,
    pub fault: Option<TaskFault>,
    pub orders: watch::Receiver<Option<CloudTaskEnding>>,
}

/// Lives the life of one task that RunTask made.
pub(crate) async fn live(cloud: Arc<CloudInstance>, start: LifecycleStart) {
    let (mounts_file_systems, named, entered) = {
        let mut state = cloud.state();
        // RunTask put it there; without it there is no life to live.
        let Some(task) = state.task(&start.region, &start.id) else { return };
        (task.definition.mounts_file_systems(), task.named(), task.times.created)
    };
    let delays = cloud.timetable.next(mounts_file_systems);
    let mut life = TaskLifecycle { cloud, start, named, delays, entered, relay: None };
    let mut crew = RunningContainers::default();
    let ending = match life.until_ending(&mut crew).await {
        Err(ending) => ending,
        Ok(never) => match never {},
    };
    life.end(ending, crew).await;
}

struct TaskLifecycle {
    cloud: Arc<CloudInstance>,
    start: LifecycleStart,
    named: CloudTaskIdentity,
    delays: TaskDelays,
    /// When the present state began, by the timetable: where the clock was moved past the end of
    /// several delays, each begins where the one before ended.
    entered: SystemTime,
    /// Where the task has a public address.
    relay: Option<PublicAddressRelay>,
}

impl TaskLifecycle {
    async fn until_ending(
        &mut self,
        crew: &mut RunningContainers,
    ) -> Result<std::convert::Infallible, CloudTaskEnding> {
        self.provision().await?;
        self.prepare().await?;
        self.run_containers(crew).await?;
        self.watch(crew).await
    }

    /// Changes the task under the lock and counts its version up, as for every change that ECS
    /// would send an event for.
    fn change<T>(&self, change: impl FnOnce(&mut CloudTask, SystemTime) -> T) -> Option<T> {
        let now = self.cloud.clock.now();
        let mut state = self.cloud.state();
        let task = state.task(&self.start.region, &self.start.id)?;
        task.remember(now);
        task.version += 1;
        Some(change(task, now))
    }

    /// Changes the task under the lock, without an event.
    fn note<T>(&self, change: impl FnOnce(&mut CloudTask, SystemTime) -> T) -> Option<T> {
        let now = self.cloud.clock.now();
        let mut state = self.cloud.state();
        let task = state.task(&self.start.region, &self.start.id)?;
        task.remember(now);
        Some(change(task, now))
    }

    /// Decides how the task ends, unless that was decided before; how it ends.
    fn decide(&self, ending: CloudTaskEnding) -> CloudTaskEnding {
        let now = self.cloud.clock.now();
        let mut state = self.cloud.state();
        let Some(task) = state.task(&self.start.region, &self.start.id) else { return ending };
        task.decide(ending.clone(), now);
        task.ending.clone().unwrap_or(ending)
    }

    /// Reads the task under the lock.
    fn read<T>(&self, read: impl FnOnce(&CloudTask) -> T) -> Option<T> {
        let mut state = self.cloud.state();
        let task = state.task(&self.start.region, &self.start.id)?;
        Some(read(task))
    }

    /// Spends `delay`, unless an order comes. No delay takes no time.
    async fn spend(&mut self, delay: Duration) -> Result<(), CloudTaskEnding> {
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

    /// Ends the containers, gives the network interface back, and leaves a STOPPED task.
    async fn end(&mut self, ending: CloudTaskEnding, mut crew: RunningContainers) {
        let ending = self.decide(ending);
        if crew.has_live() {
            if !ending.interrupted {
                self.note(|task, _| task.last_status = TaskStatus::Stopping);
            }
            self.stop_containers(&mut crew, &ending).await;
        }
        for log in crew.logs() {
            // A process that left the container may keep its output open; we do not wait for it.
            let _ = timeout(LOG_DEADLINE, log).await;
        }
        self.change(|task, now| {
            for container in &mut task.containers {
                container.end(&ending);
            }
            task.times.execution_stopped = Some(now);
            task.last_status = TaskStatus::Deprovisioning;
        });
        self.cloud.clock.sleep(self.delays.deprovision).await;
        self.relay = None;
        let address = self.change(|task, now| {
            let address = task.interface.address;
            if task.interface.status == InterfaceStatus::Precreated {
                // It never had one that anybody saw.
                task.interface.address = None;
            }
            task.interface.status = InterfaceStatus::Deleted;
            task.times.stopped = Some(now);
            task.last_status = TaskStatus::Stopped;
            address
        });
        if let Some(address) = address.flatten() {
            self.cloud.state().blocks.give_back(address);
        }
        self.remove_volumes();
    }
}

/// Waits for an order to end.
async fn ordered(orders: &mut watch::Receiver<Option<CloudTaskEnding>>) -> CloudTaskEnding {
    let order = orders.wait_for(Option::is_some).await.map(|order| order.clone());
    match order {
        Ok(Some(ending)) => ending,
        // The task is gone from the state, and with it the way to stop it.
        _ => CloudTaskEnding {
            at_once: true,
            ..CloudTaskEnding::gentle("InfrastructureHealth", "Task is gone.")
        },
    }
}

#[cfg(test)]
mod tests;
