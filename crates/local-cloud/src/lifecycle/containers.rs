//! The containers of one task while it lives: what each runs, which have started, how they end.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use fargate_model::task::TaskStatus;
use nix::sys::signal::Signal;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout_at};

use super::TaskLifecycle;
use crate::actions::start_order;
use crate::backend::{BindMount, ContainerProcess, ProcessPlan};
use crate::cloud::CloudInstance;
use crate::log_streams::LogStreamName;
use crate::state::task::{CloudContainer, CloudTask, CloudTaskEnding};
use crate::wire::shape::common::KeyValue;
use crate::wire::shape::definition::{ContainerDefinition, Volume};

/// Seconds between SIGTERM and SIGKILL without a `stopTimeout`.
///
/// Source: Amazon ECS API Reference, `ContainerDefinition`, `stopTimeout`.
const STOP_TIMEOUT_S: u64 = 30;
/// Exit code of a container without a process that was told to end: as if by SIGTERM.
const TERMINATED: i32 = 143;
/// Containers of a task. Source: "Amazon ECS endpoints and quotas".
const MAX_CONTAINERS: usize = 10;
/// SIGTERM in the signal masks of `/proc`: bit n - 1 is signal n.
const TERM_BIT: u64 = 1 << 14;
/// How old a first process is at most when it is not yet taken to be ready for SIGTERM.
const TERM_READY: Duration = Duration::from_millis(250);

/// One container, ready to start.
pub(super) struct PlannedContainer {
    pub index: usize,
    pub essential: bool,
    pub waits_for: Vec<StartDependency>,
    pub what: ContainerWorkload,
}

/// What a container runs.
pub(super) enum ContainerWorkload {
    Process(ProcessPlan),
    /// Images are not run, so a further container without a command has nothing to run. It counts
    /// as running until the task ends.
    Nothing,
}

/// What has to be true of another container first.
pub(super) struct StartDependency {
    pub index: usize,
    pub condition: String,
}

/// The containers of a task in the order in which they start.
pub(super) fn all_plans(task: &CloudTask, folder: &Path) -> Vec<PlannedContainer> {
    let definitions = task.definition.containers();
    let order = start_order(definitions).unwrap_or_else(|| (0..definitions.len()).collect());
    let argvs: Vec<_> = definitions.iter().map(|definition| argv(task, definition)).collect();
    // The agent answers at the task's address, so there is one of it.
    let agent = argvs.iter().position(Vec::is_empty);
    let planned = |index: usize| {
        let definition = &definitions[index];
        let runs = !argvs[index].is_empty() || agent == Some(index);
        let what = match task.interface.address {
            Some(address) if runs => ContainerWorkload::Process(ProcessPlan {
                task: task.id.clone(),
                container: definition.name.clone().unwrap_or_default(),
                argv: argvs[index].clone(),
                environment: environment(task, definition),
                working_directory: definition.working_directory.clone(),
                mounts: mounts(task, definition, folder),
                address,
                stream: stream(task, definition),
            }),
            _ => ContainerWorkload::Nothing,
        };
        let dependency = |name: &Option<String>, condition: &Option<String>| {
            let index = definitions.iter().position(|other| other.name == *name)?;
            Some(StartDependency { index, condition: condition.clone().unwrap_or_default() })
        };
        let waits_for = definition.depends_on.iter().flatten();
        let waits_for = waits_for.filter_map(|d| dependency(&d.container_name, &d.condition));
        let essential = definition.essential != Some(false);
        PlannedContainer { index, essential, waits_for: waits_for.collect(), what }
    };
    order.into_iter().map(planned).collect()
}

/// Where the output goes by the log driver `awslogs`.
///
/// Source: Amazon ECS Developer Guide, "Send Amazon ECS logs to CloudWatch", whose names these are.
fn stream(task: &CloudTask, definition: &ContainerDefinition) -> Option<Box<LogStreamName>> {
    let log = definition.log_configuration.as_ref()?;
    let options = log.options.as_ref().filter(|_| log.log_driver.as_deref() == Some("awslogs"))?;
    let prefix = options.get("awslogs-stream-prefix")?;
    let container = definition.name.as_deref().unwrap_or_default();
    Some(Box::new(LogStreamName {
        region: options.get("awslogs-region").unwrap_or(&task.region).clone(),
        group: options.get("awslogs-group")?.clone(),
        stream: format!("{prefix}/{container}/{}", task.id),
    }))
}

/// An override's command replaces the definition's; the entry point stays.
fn argv(task: &CloudTask, definition: &ContainerDefinition) -> Vec<String> {
    let name = definition.name.as_deref().unwrap_or_default();
    let own = task.container_override(name).and_then(|one| one.command.clone());
    let command = own.or_else(|| definition.command.clone()).unwrap_or_default();
    definition.entry_point.iter().flatten().cloned().chain(command).collect()
}

fn environment(task: &CloudTask, definition: &ContainerDefinition) -> Vec<(String, String)> {
    let name = definition.name.as_deref().unwrap_or_default();
    let own = task.container_override(name).and_then(|one| one.environment.as_ref());
    let pair = |pair: &KeyValue| {
        (pair.name.clone().unwrap_or_default(), pair.value.clone().unwrap_or_default())
    };
    definition.environment.iter().flatten().chain(own.into_iter().flatten()).map(pair).collect()
}

fn mounts(task: &CloudTask, definition: &ContainerDefinition, folder: &Path) -> Vec<BindMount> {
    let mount = |point: &crate::wire::shape::definition::MountPoint| {
        let volume = task.definition.volumes().iter().find(|v| v.name == point.source_volume)?;
        Some(BindMount {
            source: volume_folder(volume, &task.id, folder),
            path: PathBuf::from(point.container_path.as_deref()?),
            read_only: point.read_only == Some(true),
        })
    };
    definition.mount_points.iter().flatten().filter_map(mount).collect()
}

/// A file system's folder is shared by all tasks that mount it; any other volume is the task's own.
fn volume_folder(volume: &Volume, task: &str, folder: &Path) -> PathBuf {
    let Some(efs) = &volume.efs_volume_configuration else {
        return volumes_of(task, folder).join(volume.name.as_deref().unwrap_or_default());
    };
    let system = folder.join("efs").join(efs.file_system_id.as_deref().unwrap_or_default());
    let point = efs.authorization_config.as_ref().and_then(|own| own.access_point_id.as_ref());
    match point {
        Some(point) => system.join("access-points").join(point),
        None => {
            let root = efs.root_directory.as_deref().unwrap_or_default();
            system.join("root").join(root.trim_start_matches('/'))
        }
    }
}

fn volumes_of(task: &str, folder: &Path) -> PathBuf {
    folder.join("volumes").join(task)
}

/// The started containers of a task.
pub(super) struct RunningContainers {
    members: BTreeMap<usize, RunningContainer>,
    sender: mpsc::Sender<(usize, i32)>,
    receiver: mpsc::Receiver<(usize, i32)>,
}

struct RunningContainer {
    process: Option<ContainerProcess>,
    essential: bool,
    exit_code: Option<i32>,
}

impl Default for RunningContainers {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel(MAX_CONTAINERS);
        Self { members: BTreeMap::new(), sender, receiver }
    }
}

impl RunningContainers {
    /// Where the exit codes of new members go.
    pub fn exits(&self) -> mpsc::Sender<(usize, i32)> {
        self.sender.clone()
    }

    pub fn joined(&mut self, index: usize, process: Option<ContainerProcess>, essential: bool) {
        self.members.insert(index, RunningContainer { process, essential, exit_code: None });
    }

    /// Notes an exit; true if the task cannot go on without that container.
    pub fn left(&mut self, index: usize, code: i32) -> bool {
        self.members.get_mut(&index).is_some_and(|member| {
            member.exit_code = Some(code);
            member.essential
        })
    }

    pub async fn next_exit(&mut self) -> (usize, i32) {
        self.receiver.recv().await.expect("this value holds a sender")
    }

    /// Some process has not ended.
    pub fn has_live(&self) -> bool {
        self.members.values().any(|member| member.process.is_some() && member.exit_code.is_none())
    }

    /// What tells that each log is complete.
    pub fn logs(&mut self) -> Vec<oneshot::Receiver<()>> {
        let processes = self.members.values_mut().filter_map(|member| member.process.take());
        processes.map(|process| process.logged).collect()
    }

    fn exit_code(&self, index: usize) -> Option<i32> {
        self.members.get(&index)?.exit_code
    }

    fn live(&self) -> impl Iterator<Item = (usize, &ContainerProcess)> {
        let live = self.members.iter().filter(|(_, member)| member.exit_code.is_none());
        live.filter_map(|(index, member)| Some((*index, member.process.as_ref()?)))
    }
}

impl CloudContainer {
    /// Notes that its first process ended.
    pub(super) fn exited(&mut self, code: i32) {
        self.pid = None;
        self.exit_code = Some(code);
        self.last_status = TaskStatus::Stopped;
    }

    /// Leaves the container as it is shown after the task's end. A container that never ran has no
    /// exit code, unless a fault gives it one.
    pub(super) fn end(&mut self, ending: &CloudTaskEnding) {
        let ran = self.runtime_id.is_some();
        self.exit_code = ending.exit_code.or(self.exit_code).or(ran.then_some(TERMINATED));
        if ending.container_reason.is_some() {
            self.reason.clone_from(&ending.container_reason);
        }
        self.pid = None;
        self.last_status = TaskStatus::Stopped;
    }
}

impl TaskLifecycle {
    /// Waits until a dependency is met. A container that should succeed and does not ends the task.
    pub(super) async fn until_met(
        &mut self,
        crew: &mut RunningContainers,
        dependency: &StartDependency,
    ) -> Result<(), CloudTaskEnding> {
        if !["COMPLETE", "SUCCESS"].contains(&dependency.condition.as_str()) {
            // It was started before; no health check is played.
            return Ok(());
        }
        let code = loop {
            if let Some(code) = crew.exit_code(dependency.index) {
                break code;
            }
            self.one_exit(crew).await?;
        };
        if dependency.condition == "SUCCESS" && code != 0 {
            let reason = "Dependency container exited with a non-zero code";
            return Err(CloudTaskEnding::gentle("TaskFailedToStart", reason));
        }
        Ok(())
    }

    /// SIGTERM, each container's `stopTimeout`, SIGKILL; returns when all have ended.
    pub(super) async fn stop_containers(
        &mut self,
        crew: &mut RunningContainers,
        ending: &CloudTaskEnding,
    ) {
        let started = self.cloud.clock.now();
        let at_once = ending.at_once;
        if !at_once {
            for (_, process) in crew.live() {
                ready_for_term(process).await;
                self.cloud.backend.signal(process, Signal::SIGTERM);
            }
        }
        let mut killed = Vec::new();
        while crew.has_live() {
            let hurried = self.start.orders.borrow_and_update().as_ref().is_some_and(|o| o.at_once);
            let mut next: Option<SystemTime> = None;
            for (index, process) in crew.live() {
                if killed.contains(&index) {
                    continue;
                }
                let patience = ending.grace.unwrap_or_else(|| self.patience(index));
                let deadline = if at_once || hurried { started } else { started + patience };
                if deadline <= self.cloud.clock.now() {
                    self.cloud.backend.signal(process, Signal::SIGKILL);
                    killed.push(index);
                } else {
                    next = Some(next.map_or(deadline, |other| other.min(deadline)));
                }
            }
            self.one_end(crew, next).await;
        }
    }

    /// Waits for one container to end, for the next deadline, or for an order to hurry.
    async fn one_end(&mut self, crew: &mut RunningContainers, deadline: Option<SystemTime>) {
        let mut hurry = self.start.orders.clone();
        let exit = tokio::select! {
            exit = crew.next_exit() => Some(exit),
            Ok(()) = hurry.changed() => None,
            () = until(&self.cloud, deadline) => None,
        };
        let Some((index, code)) = exit else { return };
        crew.left(index, code);
        self.note(|task, _| task.containers[index].exited(code));
    }

    fn patience(&self, index: usize) -> Duration {
        let own = self.read(|task| task.definition.containers()[index].stop_timeout).flatten();
        let seconds = own.and_then(|seconds| u64::try_from(seconds).ok());
        Duration::from_secs(seconds.unwrap_or(STOP_TIMEOUT_S))
    }

    /// Deletes what only this task used; file systems stay.
    pub(super) fn remove_volumes(&self) {
        let folder = volumes_of(&self.start.id, self.cloud.backend.folder());
        // Most tasks have none; what cannot be deleted goes with the cloud's folder.
        let _ = std::fs::remove_dir_all(folder);
    }
}

async fn until(cloud: &CloudInstance, deadline: Option<SystemTime>) {
    match deadline {
        Some(deadline) => cloud.clock.sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// The first process of a PID namespace does not get a SIGTERM that it neither catches nor waits
/// for. One that has just begun is given a moment to get there, as Fargate's own way to the
/// container takes one.
async fn ready_for_term(process: &ContainerProcess) {
    let catching = async {
        while !is_ready_for_term(process.pid) {
            sleep(Duration::from_millis(5)).await;
        }
    };
    // Afterwards it is sent in any case: a process that waits for signals shows no mask.
    let _ = timeout_at(process.started + TERM_READY, catching).await;
}

/// Caught, or blocked: a blocked signal waits for whoever takes it.
fn is_ready_for_term(pid: i32) -> bool {
    let Ok(status) = std::fs::read_to_string(format!("/proc/{pid}/status")) else { return true };
    let has_term = |name: &str| {
        let mask = status.lines().find_map(|line| line.strip_prefix(name));
        let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        mask.is_some_and(|mask| mask & TERM_BIT != 0)
    };
    has_term("SigCgt:") || has_term("SigBlk:")
}
