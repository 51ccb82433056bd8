//! From PROVISIONING to RUNNING, and what happens while a task runs.

use std::convert::Infallible;
use std::sync::Arc;

use fargate_model::task::TaskStatus;

use super::container_plans::{ContainerWorkload, TaskParts, all_plans};
use super::faults::until;
use super::interface_request::interface_request;
use super::running_containers::RunningContainers;
use super::task_lifecycle::{TaskLifecycle, ordered};
use crate::backend::container::ContainerStartError;
use crate::fault::CloudTaskPhase;
use crate::random_id;
use crate::services::ecs::state::network_interface::InterfaceStatus;
use crate::services::ecs::state::task_ending::CloudTaskEnding;

impl TaskLifecycle {
    /// PROVISIONING: waits until the network interface is made.
    pub(super) async fn provision(&mut self) -> Result<(), CloudTaskEnding> {
        self.spend(self.delays.provision).await?;
        self.play_faults(CloudTaskPhase::Provisioning).await?;
        let Some(request) = self.read(interface_request) else { return Err(gone()) };
        let attached = match request {
            // It is not given up half-way, so that nobody has to look for what it made.
            Ok(request) => self.cloud.backend.attach_interface(&request).await,
            Err(full) => Err(full),
        };
        let address = attached.map_err(|error| not_started(&error))?;
        self.note(|task, _| task.interface.address = Some(address));
        Ok(())
    }

    /// PENDING: attaches the network interface, and waits for images and file systems.
    pub(super) async fn prepare(&mut self) -> Result<(), CloudTaskEnding> {
        self.open_public_address().await;
        self.change(|task, now| {
            task.interface.status = InterfaceStatus::Attached;
            task.last_status = TaskStatus::Pending;
            task.times.connected = Some(now);
            task.times.pull_started = Some(now);
        });
        self.spend(self.delays.pull).await?;
        self.pull_images().await?;
        self.note(|task, now| {
            task.times.pull_stopped = Some(now);
            task.interface.seen_by_containers = true;
        });
        self.spend(self.delays.start).await?;
        self.mount_file_systems().await?;
        self.play_faults(CloudTaskPhase::Pending).await
    }

    /// Makes the public address reach the private one, if the task has a public one. Where this machine
    /// refuses the address, nobody gets an answer there, as if a security group dropped the packets.
    async fn open_public_address(&mut self) {
        let interface = self.read(|task| task.interface.clone());
        let Some(interface) = interface else { return };
        let (Some(public), Some(private)) = (interface.public_address, interface.address) else {
            return;
        };
        let connections = interface.public_connections;
        self.relay = self.cloud.backend.open_public_address(public, private, connections).await;
    }

    /// Reads the secrets and fetches the images, unless an order to end comes first.
    async fn pull_images(&mut self) -> Result<(), CloudTaskEnding> {
        let pulls = self.image_pulls()?;
        self.secrets = self.task_secrets()?;
        let pulled = tokio::select! {
            biased;
            pulled = self.cloud.backend.pull_images(&pulls) => pulled,
            ending = ordered(&mut self.start.orders) => return Err(ending),
        };
        self.images = pulled.map_err(|error| not_started(&error))?;
        self.note(|task, _| {
            for (container, image) in task.containers.iter_mut().zip(&self.images) {
                container.image_digest.clone_from(&image.digest);
            }
        });
        Ok(())
    }

    /// Starts the containers, each after those it depends on; then the task is RUNNING.
    pub(super) async fn run_containers(
        &mut self,
        containers: &mut RunningContainers,
    ) -> Result<(), CloudTaskEnding> {
        let credentials = self.credentials_url().await.map_err(|error| not_started(&error))?;
        let parts = TaskParts {
            images: &self.images,
            file_systems: &self.file_systems,
            secrets: &self.secrets,
            credentials_url: credentials.as_deref(),
        };
        let plans = self.read(|task| all_plans(task, &parts, &self.cloud));
        let Some(plans) = plans else { return Err(gone()) };
        // A task that a fault holds shows RUNNING, but none of its programs is started.
        let held = self.holds(CloudTaskPhase::Running);
        for planned in plans {
            for dependency in &planned.waits_for {
                self.until_met(containers, dependency).await?;
            }
            match planned.workload {
                ContainerWorkload::Program(plan) if !held => {
                    let started =
                        self.cloud.backend.start(&plan, planned.index, containers.events()).await;
                    let container =
                        started.map_err(|error| self.cannot_start(planned.index, &error))?;
                    let local = container.local.clone();
                    self.note(|task, _| task.containers[planned.index].local = Some(local));
                    containers.add(planned.index, Some(container), planned.essential);
                }
                _ => containers.add(planned.index, None, planned.essential),
            }
            self.note(|task, _| {
                let container = &mut task.containers[planned.index];
                let (id, instance) = (&task.id, random_id::decimal_digits(10));
                container.runtime_id = Some(format!("{id}-{instance}"));
                container.last_status = TaskStatus::Running;
            });
        }
        let started = self.change(|task, now| {
            task.last_status = TaskStatus::Running;
            task.times.started = Some(now);
            now
        });
        // Starting took real time, so the next state does not begin where the delays ended.
        self.entered = started.unwrap_or(self.entered);
        Ok(())
    }

    fn cannot_start(&self, index: usize, error: &ContainerStartError) -> CloudTaskEnding {
        let text = error.to_string();
        self.note(|task, _| task.containers[index].reason = Some(text.clone()));
        CloudTaskEnding { at_once: true, ..CloudTaskEnding::gentle("TaskFailedToStart", &text) }
    }

    /// RUNNING: waits until an essential container ends, an order comes, or a fault ends the task.
    pub(super) async fn watch(
        &mut self,
        containers: &mut RunningContainers,
    ) -> Result<Infallible, CloudTaskEnding> {
        loop {
            // Subscribed before the rules are asked, so that a change in between is not missed.
            let mut changes = self.cloud.faults.changes();
            let due = self.due(CloudTaskPhase::Running);
            let cloud = Arc::clone(&self.cloud);
            tokio::select! {
                event = self.one_event(containers) => event?,
                () = until(&cloud, due.as_ref()) => self.apply_fault(due)?,
                // The cloud holds the sender, so there is no error.
                _ = changes.changed() => {}
            }
        }
    }
}

/// The task did not come up.
fn not_started(error: &ContainerStartError) -> CloudTaskEnding {
    CloudTaskEnding::gentle("TaskFailedToStart", &error.to_string())
}

fn gone() -> CloudTaskEnding {
    CloudTaskEnding::gentle("TaskFailedToStart", "Task is gone.")
}
