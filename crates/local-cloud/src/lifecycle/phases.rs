//! From PROVISIONING to RUNNING, and what happens while a task runs.

use std::net::SocketAddr;
use std::sync::Arc;

use fargate_model::task::TaskStatus;

use super::containers::{ContainerWorkload, RunningContainers, all_plans};
use super::faults::until;
use super::relay::PublicAddressRelay;
use super::{TaskLifecycle, ordered};
use crate::backend::ContainerStartError;
use crate::fault::CloudTaskPhase;
use crate::state::network::CloudSubnet;
use crate::state::random;
use crate::state::task::{CloudTask, CloudTaskEnding, InterfaceStatus};

impl TaskLifecycle {
    /// PROVISIONING: the network interface is made and attached.
    pub(super) async fn provision(&mut self) -> Result<(), CloudTaskEnding> {
        self.spend(self.delays.provision).await?;
        self.play_faults(CloudTaskPhase::Provisioning).await?;
        let full = self.read(|task| task.interface.address.is_none().then(|| task.place.clone()));
        match full.flatten() {
            None => Ok(()),
            Some(CloudSubnet { subnet, .. }) => Err(CloudTaskEnding::gentle(
                "TaskFailedToStart",
                &format!(
                    "Unexpected EC2 error while attempting to Create Network Interface with public \
                     IP assignment disabled in subnet '{subnet}': InsufficientFreeAddressesInSubnet"
                ),
            )),
        }
    }

    /// PENDING: image, secrets, file systems.
    pub(super) async fn prepare(&mut self) -> Result<(), CloudTaskEnding> {
        self.open_public_address().await;
        self.change(|task, now| {
            task.interface.status = InterfaceStatus::Attached;
            task.last_status = TaskStatus::Pending;
            task.times.connected = Some(now);
            task.times.pull_started = Some(now);
        });
        self.spend(self.delays.pull).await?;
        self.note(|task, now| {
            task.times.pull_stopped = Some(now);
            task.interface.seen_by_containers = true;
        });
        self.spend(self.delays.start).await?;
        self.play_faults(CloudTaskPhase::Pending).await
    }

    /// Lets the public address lead to the private one, if the task has one. Where this machine
    /// refuses it, nobody is answered there, as where a security group drops the dials.
    async fn open_public_address(&mut self) {
        let interface = self.read(|task| task.interface.clone());
        let Some(interface) = interface else { return };
        let (Some(public), Some(private)) = (interface.public_address, interface.address) else {
            return;
        };
        let port = self.cloud.backend.port();
        let public = SocketAddr::from((public, port));
        let count = interface.public_connections;
        self.relay =
            PublicAddressRelay::open(public, SocketAddr::new(private, port), count).await.ok();
    }

    /// Starts the containers, each after those it depends on; then the task is RUNNING.
    pub(super) async fn run_containers(
        &mut self,
        crew: &mut RunningContainers,
    ) -> Result<(), CloudTaskEnding> {
        let Some(plans) = self.read(|task| all_plans(task, self.cloud.backend.folder())) else {
            return Err(CloudTaskEnding::gentle("TaskFailedToStart", "Task is gone."));
        };
        let held = self.holds(CloudTaskPhase::Running);
        for planned in plans {
            for dependency in &planned.waits_for {
                self.until_met(crew, dependency).await?;
            }
            match planned.what {
                ContainerWorkload::Process(plan) if !held => {
                    let started =
                        self.cloud.backend.start(&plan, planned.index, crew.exits()).await;
                    let process =
                        started.map_err(|error| self.cannot_start(planned.index, &error))?;
                    self.note(|task, _| {
                        let container = &mut task.containers[planned.index];
                        container.pid = Some(process.pid);
                        container.log = Some(process.log.clone());
                    });
                    crew.joined(planned.index, Some(process), planned.essential);
                }
                _ => crew.joined(planned.index, None, planned.essential),
            }
            self.note(|task, _| {
                let container = &mut task.containers[planned.index];
                let (id, instance) = (&task.id, random::decimal_digits(10));
                container.runtime_id = Some(format!("{id}-{instance}"));
                container.last_status = TaskStatus::Running;
            });
        }
        let started = self.change(|task, now| {
            task.last_status = TaskStatus::Running;
            task.times.started = Some(now);
            now
        });
        self.entered = started.unwrap_or(self.entered);
        Ok(())
    }

    fn cannot_start(&self, index: usize, error: &ContainerStartError) -> CloudTaskEnding {
        let text = error.to_string();
        self.note(|task, _| task.containers[index].reason = Some(text.clone()));
        CloudTaskEnding { at_once: true, ..CloudTaskEnding::gentle("TaskFailedToStart", &text) }
    }

    /// RUNNING: until an essential container ends, an order comes, or a fault is due.
    pub(super) async fn watch(
        &mut self,
        crew: &mut RunningContainers,
    ) -> Result<std::convert::Infallible, CloudTaskEnding> {
        loop {
            let mut changes = self.cloud.faults.changes();
            let due = self.due(CloudTaskPhase::Running);
            let cloud = Arc::clone(&self.cloud);
            tokio::select! {
                exit = self.one_exit(crew) => exit?,
                () = until(&cloud, due.as_ref()) => self.strike(due)?,
                // The sender is the cloud's, so it is there.
                _ = changes.changed() => {}
            }
        }
    }

    /// Waits for one container to end and notes it. The end of an essential one ends the task.
    pub(super) async fn one_exit(
        &mut self,
        crew: &mut RunningContainers,
    ) -> Result<(), CloudTaskEnding> {
        let (index, code) = tokio::select! {
            biased;
            ending = ordered(&mut self.start.orders) => return Err(ending),
            exit = crew.next_exit() => exit,
        };
        let essential = crew.left(index, code);
        let exited = |task: &mut CloudTask, _| task.containers[index].exited(code);
        if essential {
            self.note(exited);
            let reason = "Essential container in task exited";
            return Err(CloudTaskEnding::gentle("EssentialContainerExited", reason));
        }
        self.change(exited);
        Ok(())
    }
}
