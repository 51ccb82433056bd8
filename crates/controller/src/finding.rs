//! What a sweep found, and how the same thing is recognised at the next sweep.
//!
//! It does not judge, and it changes nothing.

use fargate_driver::task::ObservedTask;
use fargate_model::id::{RandomToken, TaskArn};
use fargate_model::job::JobKey;
use fargate_state::JobRecord;

use crate::orphan_reason::OrphanReason;
use crate::report::OrphanReport;

/// A task or record that is an orphan, before anything is done about it.
#[derive(Clone, Debug)]
pub(crate) enum OrphanSubject {
    /// A task without a record that names it.
    Task(Box<ObservedTask>),
    /// A record, with all tasks that it names.
    Record {
        record: Box<JobRecord>,
        /// The youngest of its tasks that ECS shows.
        live: Option<Box<ObservedTask>>,
    },
}

/// What two sightings of the same thing have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum OrphanIdentity {
    Task(TaskArn, OrphanReason),
    /// Whoever takes a record over writes a new token, so the taken record counts as another one.
    Record(JobKey, RandomToken, OrphanReason),
}

/// An orphan, with what is needed to stop it and to report it.
#[derive(Clone, Debug)]
pub(crate) struct FoundOrphan {
    pub finding: OrphanSubject,
    pub place: usize,
    pub orphan: OrphanReport,
}

impl FoundOrphan {
    pub fn mark(&self) -> OrphanIdentity {
        let reason = self.orphan.reason;
        match &self.finding {
            OrphanSubject::Task(task) => OrphanIdentity::Task(task.task.clone(), reason),
            OrphanSubject::Record { record, .. } => {
                OrphanIdentity::Record(record.job.clone(), record.prepared_by.clone(), reason)
            }
        }
    }
}
