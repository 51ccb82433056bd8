//! How the driver sees a task that starts: through the daemon of its host, which watches all tasks of the host
//! with few calls, or by its own calls.
//!
//! The daemon can save calls and nothing else. If it is gone, late or odd, ECS is asked at once. If it says that
//! a task ends, or anything else on which a verdict rests, ECS is asked as well. So a daemon that lies can do no
//! more than delay a job: at the end of the time for its start, ECS is asked in any case.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use fargate_aws::CallError;
use fargate_config::PublicIp;
use fargate_model::id::TaskArn;
use fargate_model::task::TaskStatus;
use fargate_state::{LaunchRequest, StateFolder};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout};

use super::client::EcsClient;
use super::observation::ObservedTask;
use crate::daemon::{
    DAEMON_PROTOCOL, DaemonLink, DaemonLinkError, DaemonReply, DaemonRequest, TaskPlace,
    TaskSighting,
};

/// The oldest look of the daemon that counts. Ours: a daemon that watches 1,000 tasks with few calls looks at each
/// every 15 s.
const OLDEST_SIGHTING: Duration = Duration::from_secs(30);
/// Pause before a daemon that was of no use is asked again. Ours: one that hangs costs 100 ms each time.
const DAEMON_AGAIN: Duration = Duration::from_secs(20);

/// Who is asked about the task.
enum TaskSight {
    /// ECS, and from this moment on the daemon may be tried.
    Ecs { daemon_at: Instant },
    /// The daemon. `told` is what it told without being asked.
    Daemon { link: Box<DaemonLink>, told: Option<Box<TaskSighting>> },
}

/// What to do with what the daemon says.
#[derive(Debug, PartialEq, Eq)]
enum SightingUse {
    /// It is good enough.
    Take(Box<ObservedTask>),
    /// There is no news.
    Wait,
    /// ECS must say it itself.
    AskEcs,
}

/// Looks at one task until its agent answers.
pub struct TaskObserver<'a> {
    ecs: &'a EcsClient,
    launch: &'a LaunchRequest,
    /// As RunTask named it. An odd answer may name another one.
    task: TaskArn,
    state_dir: &'a Path,
    place: TaskPlace,
    public_ip: PublicIp,
    /// Whether the job's host key is accepted at first use. Then ECS itself must say that the task runs.
    is_first_use: bool,
    sight: Mutex<ObserverState>,
}

struct ObserverState {
    sight: TaskSight,
    last: ObservedTask,
}

impl<'a> TaskObserver<'a> {
    /// Looks at the task of `launch`, of which RunTask said `seen`.
    pub fn new(
        (ecs, folder): (&'a EcsClient, &'a StateFolder),
        launch: &'a LaunchRequest,
        (public_ip, is_first_use): (PublicIp, bool),
        seen: ObservedTask,
    ) -> Self {
        let state =
            ObserverState { sight: TaskSight::Ecs { daemon_at: Instant::now() }, last: seen };
        Self {
            ecs,
            launch,
            task: state.last.task.clone(),
            state_dir: folder.root(),
            place: ecs.place(&launch.cluster),
            public_ip,
            is_first_use,
            sight: Mutex::new(state),
        }
    }

    /// Waits for `pause`, or until the daemon tells news, and looks then. `known` is the address that is known.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if ECS was asked and the call failed.
    pub async fn look_after(
        &self,
        pause: Duration,
        known: Option<IpAddr>,
    ) -> Result<Option<ObservedTask>, CallError> {
        let mut state = self.sight.lock().await;
        state.wait(pause).await;
        self.look_with(&mut state, known).await
    }

    async fn look_with(
        &self,
        state: &mut ObserverState,
        known: Option<IpAddr>,
    ) -> Result<Option<ObservedTask>, CallError> {
        let usable = match self.of_daemon(state).await {
            Some(sighting) => self.judge(&sighting),
            None => SightingUse::AskEcs,
        };
        let seen = match usable {
            SightingUse::Take(seen) => {
                Some(self.ecs.with_address(*seen, self.public_ip, known).await?)
            }
            SightingUse::Wait => Some(state.last.clone()),
            SightingUse::AskEcs => {
                self.ecs.look(self.launch, &self.task, self.public_ip, known).await?
            }
        };
        if let Some(seen) = &seen {
            state.last.clone_from(seen);
        }
        Ok(seen)
    }

    /// What the daemon says. If it is of no use, ECS is asked for a while.
    async fn of_daemon(&self, state: &mut ObserverState) -> Option<Box<TaskSighting>> {
        let heard = match &mut state.sight {
            TaskSight::Ecs { daemon_at } if Instant::now() < *daemon_at => return None,
            TaskSight::Ecs { .. } => self.open(state).await,
            TaskSight::Daemon { told, .. } if told.is_some() => told.take(),
            TaskSight::Daemon { link, .. } => sighting(link.ask(&DaemonRequest::Look {}).await),
        };
        let is_ours =
            |of: &TaskSighting| of.seen.as_ref().is_none_or(|seen| seen.task == self.task);
        let heard = heard.filter(|heard| is_ours(heard));
        if heard.is_none() {
            state.sight = TaskSight::Ecs { daemon_at: Instant::now() + DAEMON_AGAIN };
        }
        heard
    }

    async fn open(&self, state: &mut ObserverState) -> Option<Box<TaskSighting>> {
        let mut link = Box::new(DaemonLink::open(self.state_dir).await.ok()?);
        let (place, task) = (self.place.clone(), self.task.clone());
        let watch = DaemonRequest::Watch { version: DAEMON_PROTOCOL, place, task };
        let heard = sighting(link.ask(&watch).await)?;
        state.sight = TaskSight::Daemon { link, told: None };
        Some(heard)
    }

    fn judge(&self, sighting: &TaskSighting) -> SightingUse {
        if Duration::from_millis(sighting.age_ms) > OLDEST_SIGHTING {
            return SightingUse::AskEcs;
        }
        match &sighting.seen {
            None if sighting.is_looked => SightingUse::AskEcs,
            None => SightingUse::Wait,
            Some(seen) if self.needs_ecs(seen) => SightingUse::AskEcs,
            Some(seen) => SightingUse::Take(Box::new(seen.clone())),
        }
    }

    fn needs_ecs(&self, seen: &ObservedTask) -> bool {
        let is_ended =
            |status: &TaskStatus| !status.is_starting() && *status != TaskStatus::Running;
        seen.stopping
            || is_ended(&seen.status)
            || seen.stop_code.is_some()
            || seen.stopped_reason.is_some()
            || self.is_first_use && seen.status == TaskStatus::Running
            || seen.containers.iter().any(|container| {
                container.reason.is_some()
                    || container.exit_code.is_some()
                    || container.last_status.as_ref().is_some_and(is_ended)
            })
    }
}

impl ObserverState {
    /// Waits for `pause`, or until the daemon tells news of this task or goes away.
    async fn wait(&mut self, pause: Duration) {
        let TaskSight::Daemon { link, told } = &mut self.sight else {
            return sleep(pause).await;
        };
        if told.is_some() {
            return;
        }
        let Ok(heard) = timeout(pause, link.next()).await else { return };
        match sighting(heard) {
            Some(news) => *told = Some(news),
            None => self.sight = TaskSight::Ecs { daemon_at: Instant::now() + DAEMON_AGAIN },
        }
    }
}

fn sighting(heard: Result<DaemonReply, DaemonLinkError>) -> Option<Box<TaskSighting>> {
    match heard {
        Ok(DaemonReply::Seen(sighting)) => Some(sighting),
        Ok(DaemonReply::Refused { .. } | DaemonReply::Tasks { .. }) | Err(_) => None,
    }
}
