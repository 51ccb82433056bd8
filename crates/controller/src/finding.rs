//! What a sweep finds that nobody needs, and by what it is known again when it is seen once more.
//!
//! It judges nothing, and does nothing about it.

use fargate_driver::task::ObservedTask;
use fargate_model::id::{RandomToken, TaskArn};
use fargate_model::job::JobKey;
use fargate_state::JobRecord;

use crate::judge::OrphanReason;
use crate::report::OrphanReport;

/// What is found orphaned, before it is known whether anything is done about it.
#[derive(Clone, Debug)]
pub(crate) enum OrphanSubject {
    /// A task beside any record.
    Task(Box<ObservedTask>),
    /// A record with everything that it names.
    Record(Box<JobRecord>),
}

/// What makes two sightings ones of the same thing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum OrphanIdentity {
    Task(TaskArn, OrphanReason),
    /// Whoever changes a record to whom it belongs changes the token.
    Record(JobKey, RandomToken, OrphanReason),
}

/// A finding with what is needed to act on it and to tell of it.
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
            OrphanSubject::Record(record) => {
                OrphanIdentity::Record(record.job.clone(), record.prepared_by.clone(), reason)
            }
        }
    }
}
