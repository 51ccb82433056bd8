//! What one sweep saw and did.
//!
//! It holds facts. Who shows them to people or programs chooses the form.

use std::fmt;
use std::time::Duration;

use fargate_events::{JobEvent, emit};
use fargate_model::id::TaskArn;
use fargate_model::job::JobKey;
use fargate_state::KeptTask;

use crate::orphan_reason::{OrphanReason, UnjudgedReason};

/// A cluster that is searched.
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

/// What happened to an orphan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrphanOutcome {
    /// It was seen for the first time. A later sweep judges it again.
    SeenOnce,
    /// It was seen twice, but nothing may be changed.
    WouldStop,
    /// ECS accepted its stop. If it had a record, this became a tombstone.
    Stopped,
    /// ECS showed no task of it. All tasks that its record names were told to stop, and the record
    /// became a tombstone.
    Settled,
    /// A job needs it after all.
    Changed,
    /// It could not be stopped; the text says why. The next sweep counts its sightings from the
    /// beginning.
    NotDone(String),
}

/// A task or a record that nobody needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrphanReport {
    /// The task, if one is known.
    pub task: Option<TaskArn>,
    /// The job.
    pub job: JobKey,
    /// The job's id on its forge, if a record tells it.
    pub job_id: Option<String>,
    /// The cluster's name.
    pub cluster: String,
    /// Its Region.
    pub region: String,
    /// The time since ECS accepted the task.
    pub age: Option<Duration>,
    /// Why nobody needs it.
    pub reason: OrphanReason,
    /// What happened to it.
    pub done: OrphanOutcome,
}

/// A task of this owner that was not judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnjudgedTask {
    /// The task.
    pub task: TaskArn,
    /// The reason.
    pub doubt: UnjudgedReason,
}

/// A task that is kept for a person after its job failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptTaskReport {
    /// The job's id on its forge.
    pub job_id: String,
    /// The task.
    pub task: Option<TaskArn>,
    /// Until when.
    pub kept: KeptTask,
}

/// What a sweep looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SweepScope {
    /// The tasks and records of this host.
    Host,
    /// The tasks of whole clusters.
    Cluster,
}

/// What one sweep saw and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SweepReport {
    /// How many clusters were listed. A cluster that two accounts see counts twice.
    pub clusters: usize,
    /// How many tasks jobs need.
    pub needed: usize,
    /// Tasks that are kept for a person.
    pub kept: Vec<KeptTaskReport>,
    /// Tasks that were not judged.
    pub left_alone: Vec<UnjudgedTask>,
    /// Tasks and records that nobody needs.
    pub orphans: Vec<OrphanReport>,
    /// What could not be searched, in words for the operator.
    pub problems: Vec<String>,
}

impl SweepReport {
    /// How many orphans still need a second sighting.
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

    /// Whether everything was searched and every orphan that was due was stopped.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let undone = |orphan: &OrphanReport| matches!(orphan.done, OrphanOutcome::NotDone(_));
        self.problems.is_empty() && !self.orphans.iter().any(undone)
    }
}
