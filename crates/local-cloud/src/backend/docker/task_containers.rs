//! The containers of task definitions: started in the network of their task's holder, and told to end.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bollard::container::AttachContainerResults;
use bollard::models::ContainerState;
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, KillContainerOptionsBuilder, StartContainerOptions,
};
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, timeout};

use super::DockerBackend;
use super::container_body::{ContainerPlace, container_body, container_name};
use super::container_watch::{ContainerWatch, copy_output};
use super::engine_error::EngineError;
use crate::backend::container::{
    ContainerEventSender, ContainerId, ContainerPlan, ContainerStartError, LocalContainer,
    StartedContainer,
};
use crate::backend::container_log::{ContainerLog, log_path};
use crate::backend::readiness::until_ready_for_term;

/// How long a container may take to start.
///
/// Source: Amazon ECS Developer Guide, "Stopped tasks error codes", `ContainerRuntimeTimeoutError`.
const START_TIME: Duration = Duration::from_secs(60);

/// The containers that run, by the numbers that the rest of the cloud has for them.
#[derive(Default)]
pub(super) struct TaskContainers {
    next: AtomicU32,
    running: Mutex<HashMap<u32, RunningEngineContainer>>,
    /// The engine's id of the container that holds the network of each task.
    holders: Mutex<HashMap<String, String>>,
}

#[derive(Clone)]
struct RunningEngineContainer {
    task: String,
    /// The engine's id.
    id: String,
    pid: Option<i32>,
    started: Instant,
    stop_signal: String,
    killed: watch::Sender<bool>,
}

impl TaskContainers {
    /// Forgets the containers of a task that has ended. Gives the engine's id of the one that held its
    /// network.
    pub fn forget(&self, task: &str) -> Option<String> {
        self.running().retain(|_, container| container.task != task);
        self.holders().remove(task)
    }

    fn running(&self) -> MutexGuard<'_, HashMap<u32, RunningEngineContainer>> {
        self.running.lock().expect("no one panics while holding the containers")
    }

    pub fn holders(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.holders.lock().expect("no one panics while holding the containers")
    }

    fn find(&self, ContainerId(number): ContainerId) -> Option<RunningEngineContainer> {
        self.running().get(&number).cloned()
    }
}

impl DockerBackend {
    /// Starts a container. What happens to it goes to `events` together with `index`.
    pub async fn start(
        &self,
        plan: &ContainerPlan,
        index: usize,
        events: ContainerEventSender,
    ) -> Result<StartedContainer, ContainerStartError> {
        let _starting = self.shared.spares.begin_start();
        let log = log_path(plan, &self.folder).map_err(system("making the log's folder"))?;
        let opened = ContainerLog::create(&log, plan.log_stream.clone());
        let opened = opened.map_err(system("opening the log"))?;
        let refused = |error| not_started(error, plan);
        let id = self.create_of(plan).await.map_err(refused)?;
        let attached = self.attach(&id).await.map_err(refused)?;
        let (done, logged) = oneshot::channel();
        let copying = self.spawn(copy_output(attached, opened, done));
        // The output of a container that never starts has no end.
        let state = self.start_of(&id).await.inspect_err(|_| copying.abort()).map_err(refused)?;
        let pid = state.pid.and_then(|pid| i32::try_from(pid).ok()).filter(|pid| *pid > 0);
        let killed = watch::Sender::new(false);
        self.spawn(
            ContainerWatch {
                engine: Arc::clone(&self.shared.engine),
                id: id.clone(),
                index,
                events,
                has_health_check: plan.settings.health_probe.is_some(),
                killed: killed.subscribe(),
            }
            .run(),
        );
        let stop_signal = plan.image.stop_signal.clone().unwrap_or_else(|| "SIGTERM".to_owned());
        let (task, started) = (plan.task.clone(), Instant::now());
        let container = RunningEngineContainer { task, id, pid, started, stop_signal, killed };
        let number = self.containers.next.fetch_add(1, Ordering::Relaxed);
        self.containers.running().insert(number, container);
        let local = LocalContainer { pid, log };
        Ok(StartedContainer { id: ContainerId(number), local, logged })
    }

    async fn create_of(&self, plan: &ContainerPlan) -> Result<String, EngineError> {
        let holder = self.containers.holders().get(&plan.task).cloned().unwrap_or_default();
        let place = ContainerPlace {
            network_holder: &holder,
            labels: self.shared.labels.of_task(&plan.task, &plan.task_arn),
            processors: self.shared.engine.processors(),
        };
        let body = container_body(plan, &place);
        self.shared.create(&container_name(&plan.task, &plan.container), body).await
    }

    /// Before the start, so that no output is missed.
    async fn attach(&self, id: &str) -> Result<AttachContainerResults, EngineError> {
        let options =
            AttachContainerOptionsBuilder::default().stdout(true).stderr(true).stream(true).build();
        let engine = &self.shared.engine;
        let attach = engine.client().attach_container(id, Some(options));
        engine.ask("attaching to a container", attach).await
    }

    async fn start_of(&self, id: &str) -> Result<ContainerState, EngineError> {
        let engine = &self.shared.engine;
        let start = engine.client().start_container(id, None::<StartContainerOptions>);
        let what = "starting a container";
        let started = timeout(START_TIME, start).await;
        let started = started.map_err(|_| EngineError::Slow { what, within: START_TIME })?;
        started.map_err(|error| EngineError::of(what, START_TIME, error))?;
        let inspect = engine.client().inspect_container(id, None);
        let found = engine.ask("looking at a container", inspect).await?;
        Ok(found.state.unwrap_or_default())
    }

    /// Sends the signal that asks a container to end, as soon as it can receive it.
    pub async fn request_stop(&self, container: ContainerId) {
        let Some(container) = self.containers.find(container) else { return };
        if let Some(pid) = container.pid {
            until_ready_for_term(pid, container.started).await;
        }
        self.signal(&container, &container.stop_signal).await;
    }

    /// Sends SIGKILL to a container.
    pub async fn kill(&self, container: ContainerId) {
        let Some(container) = self.containers.find(container) else { return };
        container.killed.send_replace(true);
        self.signal(&container, "SIGKILL").await;
    }

    async fn signal(&self, container: &RunningEngineContainer, signal: &str) {
        let options = KillContainerOptionsBuilder::default().signal(signal).build();
        let engine = &self.shared.engine;
        // An error means that it has ended, or that the engine is gone, which its watch finds out.
        let kill = engine.client().kill_container(&container.id, Some(options));
        let _ = engine.ask("sending a signal", kill).await;
    }
}

/// Makes an I/O error a [`ContainerStartError::System`].
fn system(what: &'static str) -> impl Fn(std::io::Error) -> ContainerStartError {
    move |source| ContainerStartError::System { what, source }
}

/// Why a container of a plan did not start, in ECS's words where the cause is one of ECS.
fn not_started(error: EngineError, plan: &ContainerPlan) -> ContainerStartError {
    let message = match error {
        EngineError::Refused { message, .. } => message,
        EngineError::Slow { .. } => return ContainerStartError::Slow,
        EngineError::NoAnswer { .. } => {
            return ContainerStartError::Engine { problem: error.to_string() };
        }
    };
    if message.contains("executable file not found in $PATH") {
        let quoted = message.split("exec: \"").nth(1).and_then(|rest| rest.split('"').next());
        let named = quoted.map(str::to_owned).or_else(|| plan.argv().into_iter().next());
        return ContainerStartError::NoProgram { program: named.unwrap_or_default() };
    }
    ContainerStartError::Refused { problem: message }
}
