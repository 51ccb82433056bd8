//! What a sweep finds that nobody needs, and by what it is known again when it is seen once more.
//!
//! It judges nothing, and does nothing about it.

use fargate_driver::state::Record;
use fargate_driver::task::Observation;
use fargate_model::id::{TaskArn, Token};
use fargate_model::job::JobKey;

use crate::judge::Reason;
use crate::report::Orphan;

/// What is found orphaned, before it is known whether anything is done about it.
#[derive(Clone, Debug)]
pub(crate) enum Finding {
    /// A task beside any record.
    Task(Box<Observation>),
    /// A record with everything that it names.
    Record(Box<Record>),
}

/// What makes two sightings ones of the same thing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Mark {
    Task(TaskArn, Reason),
    /// Whoever changes a record to whom it belongs changes the token.
    Record(JobKey, Token, Reason),
}

/// A finding with what is needed to act on it and to tell of it.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub finding: Finding,
    pub place: usize,
    pub orphan: Orphan,
}

impl Found {
    pub fn mark(&self) -> Mark {
        let reason = self.orphan.reason;
        match &self.finding {
            Finding::Task(task) => Mark::Task(task.task.clone(), reason),
            Finding::Record(record) => {
                Mark::Record(record.job.clone(), record.prepared_by.clone(), reason)
            }
        }
    }
}
