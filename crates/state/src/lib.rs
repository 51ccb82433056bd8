//! What the processes of one host must know of each other. A job has one small file, written before
//! anything is started, and after it a tombstone without secrets. Other files say whether new jobs
//! are held, and whose turn it is to ask ECS.
//!
//! Only `prepare` and `cleanup` write a job's file, under a lock that they hold for moments. `run`
//! only leaves a mark beside it. Files appear whole or not at all, and survive a power failure.
//!
//! This crate calls no service. It does not decide what becomes of a task.

mod capacity_breaker;
mod definitions;
#[cfg(any(test, feature = "examples"))]
pub mod examples;
mod failure_mark;
mod folder;
mod folder_origin;
pub mod host;
mod job_hold;
mod job_states;
mod kept_task;
mod launch_request;
mod ownership;
mod record;
mod record_writer;
mod refused;
mod runner_process;
mod script_mark;
mod shared_rate_limiter;
mod task_keeping;
mod tombstone;
pub mod version;

use std::path::{Path, PathBuf};

use fargate_files::FileError;
use fargate_model::cause::{CauseReport, FailureCause};
use nix::unistd::geteuid;

use crate::host::is_short_of;

pub use capacity_breaker::{BreakerLimits, CapacityBreaker};
pub use failure_mark::FailureMark;
pub use fargate_files::{DistrustedPath, FileLock, is_trusted_owner, others_may_write, user_name};
pub use folder::{HostOwner, StateFolder};
pub use folder_origin::FolderOrigin;
pub use host::HostError;
pub use job_hold::{JobAdmission, JobHold, JobHoldKind};
pub use job_states::RecordState;
pub use kept_task::KeptTask;
pub use launch_request::{CapacityProviderShare, ContainerSpec, LaunchRequest, TaskCapacity};
pub use record::{JobRecord, RecordedProfile, SecretString, TaskLocation, TaskOrigin, TaskServer};
pub use record_writer::JobRecordWriter;
pub use runner_process::{RunnerLiveness, RunnerProcess};
pub use shared_rate_limiter::SharedRateLimiter;
pub use tombstone::JobTombstone;

/// Why the state could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The disk refused, or rights are missing.
    #[error("{doing} {}", path.display())]
    Disk {
        /// What the process was doing.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The error of the operating system.
        #[source]
        source: std::io::Error,
    },
    /// The file exists, but cannot be read, or is not as we wrote it.
    #[error("reading {}: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The file with the host's name cannot be read.
    #[error("reading {}: {what}", path.display())]
    HostName {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// Another user may have written it, so it is not trusted.
    #[error("not using {}: {}", path.display(), why.what)]
    Distrusted {
        /// The file or folder.
        path: PathBuf,
        /// Who may have written it, and how to correct that.
        why: DistrustedPath,
    },
    /// A newer version wrote it. The part that every version understands is known.
    #[error("reading {}: written by a newer version (schema {schema}, this one reads up to {})", path.display(), version::this().reads)]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        schema: u64,
        /// What is needed to clean up.
        location: Box<TaskLocation>,
    },
    /// Another process holds the job.
    #[error("another process holds {}", path.display())]
    Held {
        /// The lock.
        path: PathBuf,
    },
    /// `cleanup` or another `prepare` has taken the job over.
    #[error("this job was cleaned up, or prepared again, in the meantime")]
    TakenOver,
    /// This host refused something that every process needs.
    #[error(transparent)]
    Host(#[from] HostError),
}

impl From<FileError> for StateError {
    fn from(error: FileError) -> Self {
        match error {
            FileError::Disk { doing, path, source } => Self::Disk { doing, path, source },
            FileError::Damaged { path, what } => Self::Damaged { path, what },
            FileError::Distrusted { path, why } => Self::Distrusted { path, why },
            FileError::Held { path } => Self::Held { path },
        }
    }
}

impl StateError {
    /// Makes one in `map_err`, for what the operating system refused.
    pub fn host(doing: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Host(HostError { doing, source })
    }

    /// The cause for a person.
    #[must_use]
    pub fn why(&self) -> CauseReport {
        let at =
            |cause, path: &Path| CauseReport::new(cause).with("path", path.display().to_string());
        match self {
            Self::Disk { doing, path, source } if is_short_of(source) => {
                CauseReport::new(FailureCause::HostRefused)
                    .with("doing", format!("{doing} {}", path.display()))
                    .quoting("This host", source.to_string())
            }
            Self::Disk { doing, path, source } => at(FailureCause::StateFull, path)
                .with("user", user_name(geteuid()))
                .quoting(&format!("{doing} {}", path.display()), source.to_string())
                .because("No task is kept without it."),
            Self::Damaged { path, what } => {
                at(FailureCause::StateDamaged, path).quoting(&path.display().to_string(), what)
            }
            Self::HostName { path, what } => at(FailureCause::StateDamaged, path)
                .with("host_name", path.display().to_string())
                .quoting(&path.display().to_string(), what),
            Self::Distrusted { path, why } => at(FailureCause::StateDistrusted, path)
                .with("mend", &why.mend)
                .quoting(&path.display().to_string(), &why.what),
            Self::Newer { path, schema, .. } => at(FailureCause::StateNewer, path).quoting(
                &path.display().to_string(),
                format!(
                    "written by a newer version (schema {schema}, this one reads up to {})",
                    version::this().reads
                ),
            ),
            Self::Held { path } => {
                at(FailureCause::AlreadyPrepared, path).because(format!("{self}."))
            }
            Self::TakenOver => {
                CauseReport::new(FailureCause::StoppedByCleanup).because(format!("{self}."))
            }
            Self::Host(HostError { doing, source }) => CauseReport::new(FailureCause::HostRefused)
                .with("doing", doing)
                .quoting("This host", source.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use fargate_model::cause::ColourMode;

    use super::*;

    fn told(error: &StateError) -> String {
        let user = user_name(geteuid());
        error.why().block(ColourMode::Off).to_string().replace(&user, "USER")
    }

    #[test]
    fn an_error_of_the_disk_does_not_say_that_the_disk_is_full() {
        let source = std::io::Error::from_raw_os_error(nix::libc::EROFS);
        let path = PathBuf::from("/var/lib/fargate-runner/jobs");
        let error = StateError::Disk { doing: "making the folder", path, source };
        insta::assert_snapshot!(told(&error), @r#"
        error: the job's state cannot be kept in /var/lib/fargate-runner/jobs
          making the folder /var/lib/fargate-runner/jobs: "Read-only file system (os error 30)"
          No task is kept without it.
          Fix: free the disk, or make it readable and writable for USER
            df -h /var/lib/fargate-runner/jobs
        "#);
    }

    #[test]
    fn a_file_of_a_newer_version_asks_for_that_version_and_not_for_a_new_job() {
        let path = PathBuf::from("/state/jobs/1.json");
        let error = StateError::Newer { path, schema: 99, location: Box::default() };
        insta::assert_snapshot!(told(&error), @r#"
        error: a newer Fargate Runner wrote the state of this job
          /state/jobs/1.json: "written by a newer version (schema 99, this one reads up to 1)"
          Fix: install that version again
            fargate-runner --version
        "#);
    }
}
