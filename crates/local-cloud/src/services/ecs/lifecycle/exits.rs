//! What the end of one container means for its task while the task runs or starts.

use super::container_plans::StartDependency;
use super::running_containers::RunningContainers;
use super::task_lifecycle::{TaskLifecycle, ordered};
use crate::services::ecs::state::task::CloudTask;
use crate::services::ecs::state::task_ending::CloudTaskEnding;

impl TaskLifecycle {
    /// Waits for one container to end and notes it. The end of an essential one ends the task.
    pub(super) async fn one_exit(
        &mut self,
        containers: &mut RunningContainers,
    ) -> Result<(), CloudTaskEnding> {
        let (index, code) = tokio::select! {
            // An order is asked for first: a task that was told to end has that reason, whatever
            // ended at the same time.
            biased;
            ending = ordered(&mut self.start.orders) => return Err(ending),
            exit = containers.next_exit() => exit,
        };
        let essential = containers.note_exit(index, code);
        let exited = |task: &mut CloudTask, _| task.containers[index].exited(code);
        if essential {
            self.note(exited);
            let reason = "Essential container in task exited";
            return Err(CloudTaskEnding::gentle("EssentialContainerExited", reason));
        }
        self.change(exited);
        Ok(())
    }

    /// Waits until a dependency is met. If a container should succeed and fails, the task
    /// ends.
    pub(super) async fn until_met(
        &mut self,
        containers: &mut RunningContainers,
        dependency: &StartDependency,
    ) -> Result<(), CloudTaskEnding> {
        if !["COMPLETE", "SUCCESS"].contains(&dependency.condition.as_str()) {
            // START: the other container was started before. HEALTHY: health checks are not played.
            return Ok(());
        }
        let code = loop {
            if let Some(code) = containers.exit_code(dependency.index) {
                break code;
            }
            self.one_exit(containers).await?;
        };
        if dependency.condition == "SUCCESS" && code != 0 {
            let reason = "Dependency container exited with a non-zero code";
            return Err(CloudTaskEnding::gentle("TaskFailedToStart", reason));
        }
        Ok(())
    }
}
