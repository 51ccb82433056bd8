//! Whether a person on this host may look into the task of a job.
//!
//! It judges by the record alone, and it is strict: a record without all that a login needs, of another
//! host or of a job that is over lets nobody in. Rights on this machine are those of the state folder.

use std::net::SocketAddr;

use fargate_model::id::{TaskArn, TaskOwner};
use fargate_state::{FolderOrigin, JobRecord, StateError};

use crate::host_jobs::{HostJobs, JobPhase, KnownJob};

/// Why nobody may look into the task of a job.
#[derive(Debug, thiserror::Error)]
pub enum JobAccessError {
    /// It was cleaned up.
    #[error("job {job} is over: it was cleaned up, and its task is stopped")]
    Over {
        /// The job.
        job: String,
    },
    /// Its task is being stopped, or never came up.
    #[error("job {job} is over: its task is being stopped, or never answered")]
    Ending {
        /// The job.
        job: String,
    },
    /// Its task does not answer yet.
    #[error(
        "job {job} is still starting: its task does not answer yet; try again when `jobs list` calls it running"
    )]
    Starting {
        /// The job.
        job: String,
    },
    /// Its record cannot be read.
    #[error("the record of job {job} cannot be read{}", if *is_newer { ": a newer version wrote it; use that version" } else { ": it is damaged" })]
    Unreadable {
        /// The job.
        job: String,
        /// Whether a newer version wrote it.
        is_newer: bool,
    },
    /// The task is another host's.
    #[error("the task of job {job} belongs to host {owner}, and this is {here}: run it there")]
    OtherHost {
        /// The job.
        job: String,
        /// The host in its record.
        owner: TaskOwner,
        /// This host.
        here: TaskOwner,
    },
    /// The folder is a copy from another machine.
    #[error(
        "the state folder is a copy from another machine, and job {job} is that machine's: run it there"
    )]
    Copied {
        /// The job.
        job: String,
    },
    /// The record names no task, or no address of it.
    #[error("the record of job {job} has no {what}, so its task cannot be found")]
    Incomplete {
        /// The job.
        job: String,
        /// What is missing.
        what: &'static str,
    },
    /// The state folder cannot be read.
    #[error("{}", fargate_model::text::error_chain(.0))]
    State(#[from] StateError),
}

/// The record of a job whose task this host may look into.
#[derive(Clone, Copy, Debug)]
pub struct ReachableJob<'a> {
    /// The record.
    pub record: &'a JobRecord,
    /// The task.
    pub task: &'a TaskArn,
    /// Where it answers.
    pub address: SocketAddr,
}

impl HostJobs {
    /// The record of `job`, if this host may look into its task. `here` is this host's name.
    ///
    /// # Errors
    ///
    /// Returns [`JobAccessError`], which names the first reason why not.
    pub fn reachable<'a>(
        &self,
        job: &'a KnownJob,
        here: &TaskOwner,
    ) -> Result<ReachableJob<'a>, JobAccessError> {
        let name = || job.name();
        let record = match (job.phase, job.record.as_deref()) {
            (JobPhase::Running | JobPhase::Kept(_), Some(record)) => record,
            (JobPhase::Finished, _) => return Err(JobAccessError::Over { job: name() }),
            (JobPhase::Starting, _) => return Err(JobAccessError::Starting { job: name() }),
            (JobPhase::Unreadable { is_newer }, _) => {
                return Err(JobAccessError::Unreadable { job: name(), is_newer });
            }
            (JobPhase::Stopping | JobPhase::Running | JobPhase::Kept(_), _) => {
                return Err(JobAccessError::Ending { job: name() });
            }
        };
        if self.folder().made()? == FolderOrigin::Elsewhere {
            return Err(JobAccessError::Copied { job: name() });
        }
        if record.owner != *here {
            let (owner, here) = (record.owner.clone(), here.clone());
            return Err(JobAccessError::OtherHost { job: name(), owner, here });
        }
        let incomplete = |what| JobAccessError::Incomplete { job: name(), what };
        let task = record.location.task.as_ref().ok_or_else(|| incomplete("task"))?;
        let address = record.address.ok_or_else(|| incomplete("address"))?;
        Ok(ReachableJob { record, task, address })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use fargate_state::StateFolder;
    use fargate_state::examples::some_record;

    use super::*;

    /// What is said of a job with this record.
    fn told(change: impl FnOnce(&mut JobRecord)) -> String {
        let root = tempfile::tempdir().unwrap();
        drop(StateFolder::open(root.path(), Duration::from_secs(1)).unwrap());
        let mut record = some_record();
        change(&mut record);
        record.write(&root.path().join("jobs").join(format!("{}.json", record.job))).unwrap();
        let jobs = HostJobs::read(root.path(), Duration::from_secs(1)).unwrap();
        let here = TaskOwner::try_from("host-1".to_owned()).unwrap();
        let job = jobs.find("gl-4411").unwrap();
        match jobs.reachable(job, &here) {
            Ok(reached) => format!("{} at {}", reached.task, reached.address),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn only_a_running_job_of_this_host_with_task_and_address_is_reached() {
        insta::assert_snapshot!(told(|_| {}), @"arn:aws:ecs:eu-west-1:1:task/ci/abc at 10.0.0.7:22");
        insta::assert_snapshot!(told(|record| record.ready = false), @"job gl-4411 is over: its task is being stopped, or never answered");
        let other = TaskOwner::try_from("host-2".to_owned()).unwrap();
        insta::assert_snapshot!(told(|record| record.owner = other), @"the task of job gl-4411 belongs to host host-2, and this is host-1: run it there");
        insta::assert_snapshot!(told(|record| record.address = None), @"the record of job gl-4411 has no address, so its task cannot be found");
        insta::assert_snapshot!(told(|record| record.location.task = None), @"the record of job gl-4411 has no task, so its task cannot be found");
    }
}
