//! The started containers of one task: which still run, and the exit codes of the others.

use std::collections::BTreeMap;

use tokio::sync::{mpsc, oneshot};

use crate::backend::container::{ContainerId, ExitSender, StartedContainer};

/// Containers of a task. Source: "Amazon ECS endpoints and quotas".
const MAX_CONTAINERS: usize = 10;

/// The started containers of a task.
pub(super) struct RunningContainers {
    members: BTreeMap<usize, RunningContainer>,
    sender: ExitSender,
    receiver: mpsc::Receiver<(usize, i32)>,
}

struct RunningContainer {
    started: Option<StartedContainer>,
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
    /// Takes the exit codes of the containers.
    pub fn exits(&self) -> ExitSender {
        self.sender.clone()
    }

    /// Adds a container that was started, or that has no program.
    pub fn add(&mut self, index: usize, started: Option<StartedContainer>, essential: bool) {
        self.members.insert(index, RunningContainer { started, essential, exit_code: None });
    }

    /// Notes an exit. True if the task cannot continue without that container.
    pub fn note_exit(&mut self, index: usize, code: i32) -> bool {
        self.members.get_mut(&index).is_some_and(|member| {
            member.exit_code = Some(code);
            member.essential
        })
    }

    pub async fn next_exit(&mut self) -> (usize, i32) {
        self.receiver.recv().await.expect("this value holds a sender")
    }

    /// Whether some container with a program has not ended.
    pub fn has_live(&self) -> bool {
        self.members.values().any(|member| member.started.is_some() && member.exit_code.is_none())
    }

    /// For each container, a receiver that hears when its log is complete.
    pub fn logs(&mut self) -> Vec<oneshot::Receiver<()>> {
        let started = self.members.values_mut().filter_map(|member| member.started.take());
        started.map(|container| container.logged).collect()
    }

    pub fn exit_code(&self, index: usize) -> Option<i32> {
        self.members.get(&index)?.exit_code
    }

    /// Those that have not ended, by their index in the task.
    pub fn live(&self) -> impl Iterator<Item = (usize, ContainerId)> {
        let live = self.members.iter().filter(|(_, member)| member.exit_code.is_none());
        live.filter_map(|(index, member)| Some((*index, member.started.as_ref()?.id)))
    }
}
