//! From the decision that a task ends to STOPPED.

use std::time::{Duration, SystemTime};

use fargate_model::task::TaskStatus;
use tokio::time::timeout;

use super::running_containers::RunningContainers;
use super::task_lifecycle::TaskLifecycle;
use crate::cloud::CloudInstance;
use crate::services::ecs::state::network_interface::InterfaceStatus;
use crate::services::ecs::state::task_ending::CloudTaskEnding;

/// Seconds between SIGTERM and SIGKILL without a `stopTimeout`.
///
/// Source: Amazon ECS API Reference, `ContainerDefinition`, `stopTimeout`.
const STOP_TIMEOUT_S: u64 = 30;
/// How long a log may take to be complete after its container ended.
const LOG_DEADLINE: Duration = Duration::from_secs(1);

impl TaskLifecycle {
    /// Ends the containers and gives the network interface back; then the task is STOPPED.
    pub(super) async fn end(&mut self, ending: CloudTaskEnding, mut containers: RunningContainers) {
        let ending = self.decide(ending);
        if containers.has_live() {
            // On a Spot interruption the task shows RUNNING until its containers have ended.
            if !ending.interrupted {
                self.note(|task, _| task.last_status = TaskStatus::Stopping);
            }
            self.stop_containers(&mut containers, &ending).await;
        }
        for log in containers.logs() {
            // A process that left its container may keep the output open; its end is not waited for.
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
        // Closes the public address before the private one can be given to another task.
        self.relay = None;
        self.cloud.backend.release_task(&self.start.id).await;
        let seat = self.change(|task, now| {
            let seat = task.interface.seat;
            if task.interface.status == InterfaceStatus::Precreated {
                // Nobody ever saw an address.
                task.interface.address = None;
            }
            task.interface.status = InterfaceStatus::Deleted;
            task.times.stopped = Some(now);
            task.last_status = TaskStatus::Stopped;
            seat
        });
        if let Some(seat) = seat.flatten() {
            self.cloud.backend.give_back_seat(seat);
        }
        self.cloud.task_roles.close(&self.start.id);
    }

    /// Sends SIGTERM, waits for each container's `stopTimeout`, sends SIGKILL. Returns when all
    /// containers have ended.
    async fn stop_containers(
        &mut self,
        containers: &mut RunningContainers,
        ending: &CloudTaskEnding,
    ) {
        let started = self.cloud.clock.now();
        let at_once = ending.at_once;
        if !at_once {
            for (_, container) in containers.live() {
                self.cloud.backend.request_stop(container).await;
            }
        }
        let mut killed = Vec::new();
        // Each turn waits for the next thing to happen: an exit, a deadline, or an order to hurry. An
        // order to hurry moves all deadlines to the past.
        while containers.has_live() {
            let hurried = self.start.orders.borrow_and_update().as_ref().is_some_and(|o| o.at_once);
            let mut next: Option<SystemTime> = None;
            for (index, container) in containers.live() {
                if killed.contains(&index) {
                    continue;
                }
                let patience = ending.grace.unwrap_or_else(|| self.patience(index));
                let deadline = if at_once || hurried { started } else { started + patience };
                if deadline <= self.cloud.clock.now() {
                    self.cloud.backend.kill(container).await;
                    killed.push(index);
                } else {
                    next = Some(next.map_or(deadline, |other| other.min(deadline)));
                }
            }
            self.one_end(containers, next).await;
        }
    }

    /// Waits for one container to end, for the next deadline, or for an order to hurry.
    async fn one_end(&mut self, containers: &mut RunningContainers, deadline: Option<SystemTime>) {
        let mut hurry = self.start.orders.clone();
        let event = tokio::select! {
            event = containers.next_event() => Some(event),
            Ok(()) = hurry.changed() => None,
            () = until(&self.cloud, deadline) => None,
        };
        if let Some(event) = event {
            // The task ends already, whichever of its containers this is.
            let _ = self.note_event(containers, event);
        }
    }

    /// How long a container may take to end after SIGTERM.
    fn patience(&self, index: usize) -> Duration {
        let own = self.read(|task| task.definition.containers()[index].stop_timeout).flatten();
        let seconds = own.and_then(|seconds| u64::try_from(seconds).ok());
        Duration::from_secs(seconds.unwrap_or(STOP_TIMEOUT_S))
    }
}

async fn until(cloud: &CloudInstance, deadline: Option<SystemTime>) {
    match deadline {
        Some(deadline) => cloud.clock.sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
