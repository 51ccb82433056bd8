//! The live tasks of this host for a person: listed by the daemon, or by ECS where there is no daemon, and stopped
//! one at a time.
//!
//! Only tasks that this host started are listed and stopped. Which of them a job needs is no question here.

use std::sync::Arc;
use std::time::Duration;

use fargate_aws::retry;
use fargate_driver::daemon::{DAEMON_PROTOCOL, DaemonLink, DaemonReply, DaemonRequest, ListedTask};
use fargate_driver::task::{CallError, reason, stop, survey};
use fargate_events::{JobEvent, emit};
use fargate_model::id::{TaskArn, TaskOwner};
use fargate_state::StateFolder;
use tokio::time::{Instant, timeout};

use crate::account_cluster::{self, AccountCluster, ClusterSet};
use crate::reap_error::{ReapError, ReaperSettings};
use crate::stop_queue::NamedTask;

/// The oldest list of the daemon that is shown. Ours: its sweeps are a minute apart where there are many tasks.
const OLDEST_LIST: Duration = Duration::from_secs(180);
/// Time for the whole list of the daemon.
const LIST_TIME: Duration = Duration::from_secs(2);

/// Who told the tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskListSource {
    /// The daemon of this host.
    Daemon,
    /// ECS.
    Ecs,
}

/// The live tasks of this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskListing {
    /// The tasks, in the order of their acceptance.
    pub tasks: Vec<ListedTask>,
    /// Who told them.
    pub source: TaskListSource,
    /// What could not be asked, in words for the operator.
    pub problems: Vec<String>,
}

/// The clusters in which this host's tasks are.
#[derive(Debug)]
pub struct HostTasks {
    state_dir: std::path::PathBuf,
    owner: TaskOwner,
    clusters: ClusterSet,
}

/// Why a task was not stopped.
#[derive(Debug, thiserror::Error)]
pub enum TaskStopError {
    /// No profile leads to its cluster.
    #[error(
        "no profile has the cluster {cluster} of task {task}; `--profile` takes one of the file"
    )]
    NoProfile {
        /// The task.
        task: TaskArn,
        /// Its cluster.
        cluster: String,
    },
    /// It belongs to somebody else.
    #[error("task {task} is not of this host: {starter} started it")]
    NotOfHost {
        /// The task.
        task: TaskArn,
        /// Who started it, in ECS's words.
        starter: String,
    },
    /// ECS does not know it any more.
    #[error("ECS knows no task {task}, so there is nothing to stop")]
    Unknown {
        /// The task.
        task: TaskArn,
    },
    /// ECS could not be asked, or did not accept the stop.
    #[error(transparent)]
    Call(#[from] CallError),
}

impl HostTasks {
    /// Reads who this host is.
    ///
    /// # Errors
    ///
    /// Returns [`ReapError`] if the state folder is missing or cannot be used.
    pub async fn open(settings: ReaperSettings) -> Result<Self, ReapError> {
        let locks = settings.profiles.iter().map(|profile| profile.timeouts.state_lock);
        let folder = StateFolder::existing(&settings.state_dir, locks.max().unwrap_or_default())?;
        let owner = folder.owner(settings.owner.as_deref()).await?.owner;
        let counted = (&settings.masker, &settings.calls);
        let clusters = ClusterSet::open(Some(&folder), settings.profiles, counted).await;
        Ok(Self { state_dir: settings.state_dir, owner, clusters })
    }

    /// Tries clusters again that could not be reached before.
    pub(crate) async fn reach(&mut self) {
        if !self.clusters.is_whole() {
            self.clusters.reach().await;
        }
    }

    /// This host's name.
    #[must_use]
    pub fn owner(&self) -> &TaskOwner {
        &self.owner
    }

    /// All live tasks.
    pub async fn list(&self) -> TaskListing {
        let mut listing = match self.of_daemon().await {
            Some(tasks) => {
                TaskListing { tasks, source: TaskListSource::Daemon, problems: Vec::new() }
            }
            None => self.of_ecs().await,
        };
        listing.tasks.sort_by_key(|task| (task.seen.timeline.created, task.seen.task.0.clone()));
        listing
    }

    async fn of_daemon(&self) -> Option<Vec<ListedTask>> {
        timeout(LIST_TIME, async {
            let mut link = DaemonLink::open(&self.state_dir).await.ok()?;
            let list = DaemonRequest::List { version: DAEMON_PROTOCOL };
            let (mut reply, mut all) = (link.ask(&list).await.ok()?, Vec::new());
            loop {
                let DaemonReply::Tasks { listed_ms_ago, tasks, is_last } = reply else {
                    return None;
                };
                let is_old = |age: u64| Duration::from_millis(age) > OLDEST_LIST;
                if listed_ms_ago.is_none_or(is_old) {
                    return None;
                }
                all.extend(tasks);
                if is_last {
                    return Some(all);
                }
                reply = link.next().await.ok()?;
            }
        })
        .await
        .ok()?
    }

    async fn of_ecs(&self) -> TaskListing {
        let mut problems = self.clusters.problems();
        let ask = |cluster: Arc<AccountCluster>, deadline| {
            let owner = self.owner.clone();
            async move { survey(&cluster.ecs, &cluster.cluster, Some(&owner), deadline).await }
        };
        let clusters = self.clusters.clusters();
        let answers = account_cluster::survey_answered(clusters, ask, &mut problems).await;
        let listed = answers.into_iter().flat_map(|(index, tasks)| {
            let cluster = &clusters[index];
            let place = cluster.ecs.place(&cluster.cluster);
            tasks.into_iter().map(move |seen| ListedTask { place: place.clone(), seen })
        });
        TaskListing { tasks: listed.collect(), source: TaskListSource::Ecs, problems }
    }

    /// Asks ECS about the task with this id, the last part of an ARN. A task of another host is unknown.
    ///
    /// # Errors
    ///
    /// Returns what a cluster answered, in words, if no other cluster has the task.
    pub(crate) async fn named(
        &self,
        task_id: &str,
        deadline: Instant,
    ) -> Result<NamedTask, String> {
        let (id, mut problems) = (TaskArn(task_id.to_owned()), self.clusters.problems());
        for cluster in self.clusters.clusters() {
            let asked = retry(deadline, || cluster.ecs.describe(&cluster.cluster, &id)).await;
            match asked {
                Ok(Some(seen)) if seen.started_by.as_deref() != Some(self.owner.as_str()) => {}
                Ok(Some(seen)) if seen.status.is_over() => return Ok(NamedTask::Over(seen.task)),
                Ok(Some(seen)) => {
                    let place = cluster.ecs.place(&cluster.cluster);
                    return Ok(NamedTask::Live(Box::new(ListedTask { place, seen })));
                }
                Ok(None) => {}
                Err(error) => problems.push(format!("{}: {error}", cluster.words())),
            }
        }
        if problems.is_empty() { Ok(NamedTask::Unknown) } else { Err(problems.join("; ")) }
    }

    /// Tells ECS to stop a task of this host. Its job notices that as the end of its task.
    ///
    /// ECS itself is asked first whose task it is: the list of a daemon may be old, and whoever answers at its
    /// socket may be no daemon.
    ///
    /// # Errors
    ///
    /// Returns [`TaskStopError`]. After [`TaskStopError::Call`] the task may be stopped all the same.
    pub async fn stop(&self, task: &ListedTask, who: &str) -> Result<(), TaskStopError> {
        let arn = task.seen.task.clone();
        let is_its =
            |cluster: &&Arc<AccountCluster>| cluster.ecs.place(&cluster.cluster) == task.place;
        let Some(cluster) = self.clusters.clusters().iter().find(is_its) else {
            let cluster = task.place.cluster.clone();
            return Err(TaskStopError::NoProfile { task: arn, cluster });
        };
        let deadline = Instant::now() + cluster.profile.timeouts.cleanup;
        let asked = retry(deadline, || cluster.ecs.describe(&cluster.cluster, &arn)).await?;
        let seen = asked.ok_or_else(|| TaskStopError::Unknown { task: arn.clone() })?;
        if seen.started_by.as_deref() != Some(self.owner.as_str()) {
            let starter = seen.started_by.unwrap_or_else(|| "nobody".to_owned());
            return Err(TaskStopError::NotOfHost { task: arn, starter });
        }
        let why = reason(&format!("stopped by {who}"));
        stop(&cluster.ecs, &cluster.cluster, &arn, &why, deadline, || false).await?;
        emit(JobEvent::TaskStoppedByPerson { task: arn, who: who.to_owned() });
        Ok(())
    }
}
