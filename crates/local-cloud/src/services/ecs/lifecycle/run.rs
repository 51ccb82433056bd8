//! The whole life of one task, from PROVISIONING to STOPPED, and the end of all tasks at once.

use std::convert::Infallible;
use std::sync::Arc;

use super::mounted_file_system::TaskFileSystems;
use super::resolved_secrets::ResolvedSecrets;
use super::running_containers::RunningContainers;
use super::task_lifecycle::{LifecycleStart, TaskLifecycle};
use crate::cloud::CloudInstance;
use crate::services::ecs::state::EcsState;
use crate::services::ecs::state::task_ending::CloudTaskEnding;

/// Runs the lifecycle of a task that RunTask made; returns when the task is STOPPED.
pub(crate) async fn run(cloud: Arc<CloudInstance>, start: LifecycleStart) {
    let (mounts_file_systems, named, entered) = {
        let mut resources = cloud.ecs();
        // RunTask put it there; without it there is nothing to do.
        let Some(task) = resources.task(&start.region, &start.id) else { return };
        (task.definition.mounts_file_systems(), task.named(), task.times.created)
    };
    let delays = cloud.states.of::<EcsState>().delays.next(mounts_file_systems);
    let mut lifecycle = TaskLifecycle {
        cloud,
        start,
        named,
        delays,
        entered,
        images: Vec::new(),
        file_systems: TaskFileSystems::new(),
        secrets: ResolvedSecrets::default(),
        relay: None,
    };
    let mut containers = RunningContainers::default();
    let ending = match lifecycle.until_ending(&mut containers).await {
        Err(ending) => ending,
        Ok(never) => match never {},
    };
    lifecycle.end(ending, containers).await;
}

/// Tells every task to end at once.
pub(crate) fn order_all_to_end(cloud: &CloudInstance) {
    let ending = CloudTaskEnding {
        at_once: true,
        ..CloudTaskEnding::gentle("InfrastructureHealth", "The local cloud was shut down.")
    };
    cloud.ecs().order_all(&ending, cloud.clock.now());
}

impl TaskLifecycle {
    async fn until_ending(
        &mut self,
        containers: &mut RunningContainers,
    ) -> Result<Infallible, CloudTaskEnding> {
        self.provision().await?;
        self.prepare().await?;
        self.run_containers(containers).await?;
        self.watch(containers).await
    }
}
