//! What happens to one container, and what its end or its health means for its task while the task runs
//! or starts.

use super::container_plans::StartDependency;
use super::running_containers::{ContainerEnd, RunningContainers};
use super::task_lifecycle::{TaskLifecycle, ordered};
use crate::backend::container::{ContainerChange, ContainerEvent, ContainerHealth};
use crate::services::ecs::state::task_ending::CloudTaskEnding;

impl TaskLifecycle {
    /// Waits for the next thing that happens to a container, and notes it. The end of an essential one
    /// ends the task.
    pub(super) async fn one_event(
        &mut self,
        containers: &mut RunningContainers,
    ) -> Result<(), CloudTaskEnding> {
        let event = tokio::select! {
            // An order is asked for first: a task that was told to end has that reason, whatever
            // ended at the same time.
            biased;
            ending = ordered(&mut self.start.orders) => return Err(ending),
            event = containers.next_event() => event,
        };
        let is_end = !matches!(event.change, ContainerChange::Health(_));
        match self.note_event(containers, event) {
            Some(ContainerEnd::Exited(_)) => {
                let reason = "Essential container in task exited";
                Err(CloudTaskEnding::gentle("EssentialContainerExited", reason))
            }
            Some(ContainerEnd::Lost) => Err(CloudTaskEnding::machine_lost()),
            None => {
                if is_end {
                    self.change(|_, _| ());
                }
                Ok(())
            }
        }
    }

    /// Notes what happened to a container. Returns how it ended, if the task cannot continue after it.
    pub(super) fn note_event(
        &self,
        containers: &mut RunningContainers,
        event: ContainerEvent,
    ) -> Option<ContainerEnd> {
        let ContainerEvent { index, change } = event;
        match change {
            ContainerChange::Exited { code, reason } => {
                self.note(|task, _| task.containers[index].exited(code, reason));
                let end = ContainerEnd::Exited(code);
                containers.note_end(index, end).then_some(end)
            }
            ContainerChange::Lost => {
                self.note(|task, _| task.containers[index].lost());
                containers.note_end(index, ContainerEnd::Lost);
                // What ran this one ran the others as well.
                Some(ContainerEnd::Lost)
            }
            ContainerChange::Health(health) => {
                self.note(|task, _| task.containers[index].health = health);
                containers.note_health(index, health);
                None
            }
        }
    }

    /// Waits until a dependency is met. If it can never be met, the task ends.
    pub(super) async fn until_met(
        &mut self,
        containers: &mut RunningContainers,
        dependency: &StartDependency,
    ) -> Result<(), CloudTaskEnding> {
        match dependency.condition.as_str() {
            "COMPLETE" => self.until_ended(containers, dependency.index).await.map(|_| ()),
            "SUCCESS" => match self.until_ended(containers, dependency.index).await? {
                ContainerEnd::Exited(0) => Ok(()),
                _ => Err(unmet("Dependency container exited with a non-zero code")),
            },
            "HEALTHY" if self.cloud.backend.runs_images() => {
                self.until_healthy(containers, dependency.index).await
            }
            // START: the other container was started before. Processes have no health checks.
            _ => Ok(()),
        }
    }

    async fn until_ended(
        &mut self,
        containers: &mut RunningContainers,
        index: usize,
    ) -> Result<ContainerEnd, CloudTaskEnding> {
        loop {
            if let Some(end) = containers.end(index) {
                return Ok(end);
            }
            self.one_event(containers).await?;
        }
    }

    async fn until_healthy(
        &mut self,
        containers: &mut RunningContainers,
        index: usize,
    ) -> Result<(), CloudTaskEnding> {
        loop {
            match (containers.end(index), containers.health(index)) {
                (None, ContainerHealth::Healthy) => return Ok(()),
                (None, ContainerHealth::Unknown) => self.one_event(containers).await?,
                (None, ContainerHealth::Unhealthy) => {
                    return Err(unmet("Dependency container did not become healthy"));
                }
                (Some(_), _) => {
                    return Err(unmet("Dependency container ended before it was healthy"));
                }
            }
        }
    }
}

fn unmet(reason: &str) -> CloudTaskEnding {
    CloudTaskEnding::gentle("TaskFailedToStart", reason)
}
