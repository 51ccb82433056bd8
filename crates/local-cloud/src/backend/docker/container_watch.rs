//! Watches one running container: its output, its health and its end, each told as it comes.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bollard::container::AttachContainerResults;
use bollard::errors::Error;
use bollard::models::{ContainerState, HealthStatusEnum};
use bollard::query_parameters::WaitContainerOptions;
use futures_util::StreamExt;
use tokio::sync::{oneshot, watch};
use tokio::time::sleep;

use super::engine::DockerEngine;
use crate::backend::container::{
    ContainerChange, ContainerEvent, ContainerEventSender, ContainerHealth,
};
use crate::backend::container_log::ContainerLog;

/// Between two looks at a health check.
const HEALTH_PAUSE: Duration = Duration::from_millis(250);
/// Between two questions to an engine that does not answer.
const AGAIN: Duration = Duration::from_millis(200);
/// How long a container may live after SIGKILL before it counts as lost.
const KILL_TIME: Duration = Duration::from_secs(30);
/// The exit code of a container that the kernel killed.
const KILLED: i32 = 137;

/// A container that is watched.
pub struct ContainerWatch {
    pub engine: Arc<DockerEngine>,
    /// The engine's id of it.
    pub id: String,
    pub index: usize,
    pub events: ContainerEventSender,
    pub has_health_check: bool,
    /// True once SIGKILL was sent.
    pub killed: watch::Receiver<bool>,
}

impl ContainerWatch {
    /// Tells what happens to it, until its end.
    pub async fn run(mut self) {
        let end = {
            let mut killed = self.killed.clone();
            let after_kill = async move {
                // An error means that nobody can send SIGKILL any more.
                let _ = killed.wait_for(|killed| *killed).await;
                sleep(KILL_TIME).await;
            };
            tokio::select! {
                end = self.until_end() => end,
                () = self.engine.until_lost() => ContainerChange::Lost,
                () = after_kill => ContainerChange::Lost,
                never = self.watch_health(), if self.has_health_check => match never {},
            }
        };
        self.tell(end).await;
    }

    /// An error means that the task has ended and listens no more.
    async fn tell(&mut self, change: ContainerChange) {
        let _ = self.events.send(ContainerEvent { index: self.index, change }).await;
    }

    async fn until_end(&self) -> ContainerChange {
        let mut was_disturbed = false;
        loop {
            let options = WaitContainerOptions { condition: "not-running".to_owned() };
            let mut answers = pin!(self.engine.client().wait_container(&self.id, Some(options)));
            let ended = match answers.next().await {
                Some(Ok(_) | Err(Error::DockerContainerWaitError { .. })) => true,
                // The engine ended the connection, so it ends itself or has ended.
                _ => false,
            };
            was_disturbed |= !ended;
            match self.state().await {
                Some(state) if state.running == Some(true) => {}
                // An engine that ends takes its containers with it: their codes say nothing.
                Some(_) if was_disturbed => return ContainerChange::Lost,
                Some(state) => return exited(&state),
                None => return ContainerChange::Lost,
            }
            sleep(AGAIN).await;
        }
    }

    /// What the engine knows of the container; `None` if it knows nothing of it. Asks until it answers:
    /// whoever waits for it gives up when the engine counts as lost.
    async fn state(&self) -> Option<ContainerState> {
        loop {
            let asked = self.engine.client().inspect_container(&self.id, None);
            match self.engine.ask("looking at a container", asked).await {
                Ok(container) => return container.state,
                Err(error) if error.is_answer() => return None,
                Err(_) => sleep(AGAIN).await,
            }
        }
    }

    async fn watch_health(&self) -> std::convert::Infallible {
        let mut known = ContainerHealth::default();
        loop {
            sleep(HEALTH_PAUSE).await;
            let health = self.state().await.and_then(|state| state.health);
            let health = match health.and_then(|health| health.status) {
                Some(HealthStatusEnum::HEALTHY) => ContainerHealth::Healthy,
                Some(HealthStatusEnum::UNHEALTHY) => ContainerHealth::Unhealthy,
                _ => known,
            };
            if health != known {
                known = health;
                let change = ContainerChange::Health(health);
                let event = ContainerEvent { index: self.index, change };
                // An error means that the task has ended and listens no more.
                let _ = self.events.send(event).await;
            }
        }
    }
}

/// How a container ended, as ECS says it.
fn exited(state: &ContainerState) -> ContainerChange {
    let code = state.exit_code.and_then(|code| i32::try_from(code).ok()).unwrap_or(KILLED);
    let was_killed = state.oom_killed == Some(true);
    let reason =
        was_killed.then(|| "OutOfMemoryError: Container killed due to memory usage".to_owned());
    ContainerChange::Exited { code, reason }
}

/// Copies the output to the log until it ends, and then says so.
pub async fn copy_output(
    mut attached: AttachContainerResults,
    mut log: ContainerLog,
    done: oneshot::Sender<()>,
) {
    // An error means that the engine ended the connection: nothing more comes.
    while let Some(Ok(output)) = attached.output.next().await {
        log.write(&output.into_bytes());
    }
    log.end();
    // An error means that nobody waits for it.
    let _ = done.send(());
}
