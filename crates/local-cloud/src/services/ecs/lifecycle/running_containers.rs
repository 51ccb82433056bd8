//! The started containers of one task: which still run, and the exit codes of the others.

use std::collections::BTreeMap;

use tokio::sync::{mpsc, oneshot};

use crate::backend::container::{
    ContainerEvent, ContainerEventSender, ContainerHealth, ContainerId, StartedContainer,
};

/// Containers of a task. Source: "Amazon ECS endpoints and quotas".
const MAX_CONTAINERS: usize = 10;
/// Events that wait to be read: one exit of each container, and some results of health checks.
const WAITING_EVENTS: usize = 6 * MAX_CONTAINERS;

/// The started containers of a task.
pub(super) struct RunningContainers {
    members: BTreeMap<usize, RunningContainer>,
    sender: ContainerEventSender,
    receiver: mpsc::Receiver<ContainerEvent>,
}

struct RunningContainer {
    started: Option<StartedContainer>,
    essential: bool,
    end: Option<ContainerEnd>,
    health: ContainerHealth,
}

/// How a container ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ContainerEnd {
    Exited(i32),
    /// Nobody knows.
    Lost,
}

impl Default for RunningContainers {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel(WAITING_EVENTS);
        Self { members: BTreeMap::new(), sender, receiver }
    }
}

impl RunningContainers {
    /// Takes what happens to the containers.
    pub fn events(&self) -> ContainerEventSender {
        self.sender.clone()
    }

    /// Adds a container that was started, or that has no program.
    pub fn add(&mut self, index: usize, started: Option<StartedContainer>, essential: bool) {
        let health = ContainerHealth::default();
        self.members.insert(index, RunningContainer { started, essential, end: None, health });
    }

    /// Notes an end. True if the task cannot continue without that container.
    pub fn note_end(&mut self, index: usize, end: ContainerEnd) -> bool {
        self.members.get_mut(&index).is_some_and(|member| {
            member.end = Some(end);
            member.essential
        })
    }

    pub fn note_health(&mut self, index: usize, health: ContainerHealth) {
        if let Some(member) = self.members.get_mut(&index) {
            member.health = health;
        }
    }

    pub async fn next_event(&mut self) -> ContainerEvent {
        self.receiver.recv().await.expect("this value holds a sender")
    }

    /// Whether some container with a program has not ended.
    pub fn has_live(&self) -> bool {
        self.members.values().any(|member| member.started.is_some() && member.end.is_none())
    }

    /// For each container, a receiver that hears when its log is complete.
    pub fn logs(&mut self) -> Vec<oneshot::Receiver<()>> {
        let started = self.members.values_mut().filter_map(|member| member.started.take());
        started.map(|container| container.logged).collect()
    }

    pub fn end(&self, index: usize) -> Option<ContainerEnd> {
        self.members.get(&index)?.end
    }

    pub fn health(&self, index: usize) -> ContainerHealth {
        self.members.get(&index).map(|member| member.health).unwrap_or_default()
    }

    /// Those that have not ended, by their index in the task.
    pub fn live(&self) -> impl Iterator<Item = (usize, ContainerId)> {
        let live = self.members.iter().filter(|(_, member)| member.end.is_none());
        live.filter_map(|(index, member)| Some((*index, member.started.as_ref()?.id)))
    }
}
