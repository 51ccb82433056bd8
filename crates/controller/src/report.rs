//! What one sweep saw and did, for whoever tells it to people or programs.

use std::fmt;
use std::time::Duration;

use fargate_events::{JobEvent, emit};
use fargate_model::id::TaskArn;
use fargate_model::job::JobKey;

use crate::judge::{OrphanReason, UnjudgedReason};

/// A cluster that is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReapedCluster {
    /// Its name.
    pub name: String,
    /// Its Region.
    pub region: String,
}

impl fmt::Display for ReapedCluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cluster {} in {}", self.name, self.region)
    }
}

/// What became of an orphan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrphanOutcome {
    /// It was seen for the first time; it is judged again later.
    SeenOnce,
    /// It was seen twice, and nothing is to be changed.
    WouldStop,
    /// Its end was accepted by ECS, and its record, if it had one, became a tombstone.
    Stopped,
    /// ECS showed no task of it; whatever its record names was told to stop, and the record became a
    /// tombstone.
    Settled,
    /// A job needs it after all.
    Changed,
    /// It could not be ended, in words for the operator. The next sweep begins anew with it.
    NotDone(String),
}

/// A task or a record that nobody needs any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrphanReport {
    /// The task, where one is known.
    pub task: Option<TaskArn>,
    /// The job.
    pub job: JobKey,
    /// The job's id on its forge, where a record tells it.
    pub job_id: Option<String>,
    /// The cluster's name.
    pub cluster: String,
    /// Its Region.
    pub region: String,
    /// Since ECS accepted the task.
    pub age: Option<Duration>,
    /// Why nobody needs it.
    pub reason: OrphanReason,
    /// What became of it.
    pub done: OrphanOutcome,
}

/// A task of this owner that is not judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnjudgedTask {
    /// Which.
    pub task: TaskArn,
    /// Why.
    pub doubt: UnjudgedReason,
}

/// What a sweep looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SweepScope {
    /// The tasks and records of this host.
    Host,
    /// The tasks of whole clusters.
    Cluster,
}

/// One look at everything, and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SweepReport {
    /// Clusters whose tasks were listed, each once for each account that sees it.
    pub clusters: usize,
    /// Tasks that jobs need.
    pub needed: usize,
    /// Tasks that nobody judged.
    pub left_alone: Vec<UnjudgedTask>,
    /// What nobody needs.
    pub orphans: Vec<OrphanReport>,
    /// What could not be looked at, in words for the operator.
    pub problems: Vec<String>,
}

impl SweepReport {
    /// How many orphans wait for their second sighting.
    #[must_use]
    pub fn seen_once(&self) -> usize {
        self.orphans.iter().filter(|orphan| orphan.done == OrphanOutcome::SeenOnce).count()
    }

    /// Tells the operator's log what came of a sweep.
    pub(crate) fn log(&self, scope: SweepScope) {
        for problem in &self.problems {
            emit(JobEvent::ReapProblem { message: problem.clone() });
        }
        let (needed, orphans) = (self.needed, self.orphans.len());
        let (seen_once, left_alone) = (self.seen_once(), self.left_alone.len());
        emit(match scope {
            SweepScope::Host => JobEvent::ReapSwept { needed, orphans, seen_once, left_alone },
            SweepScope::Cluster => {
                JobEvent::ReapClusterSwept { needed, orphans, seen_once, left_alone }
            }
        });
    }

    /// Whether everything was looked at, and everything that was to be ended was.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let undone = |orphan: &OrphanReport| matches!(orphan.done, OrphanOutcome::NotDone(_));
        self.problems.is_empty() && !self.orphans.iter().any(undone)
    }
}
