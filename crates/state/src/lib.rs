//! What the processes of one host must know of each other: a small file per job, written before anything
//! is started, and a tombstone without secrets after it; whether new jobs are held; whose turn it is to
//! ask ECS. It calls nobody.
//!
//! Only `prepare` and `cleanup` write, under a lock that is held for moments. Files appear whole or
//! not at all, and survive a power cut. `run` leaves no more than a mark beside the record.

mod admission;
#[cfg(any(test, feature = "examples"))]
pub mod examples;
mod folder;
mod folder_origin;
pub mod host;
mod job_states;
mod launch_request;
mod ownership;
mod record;
mod record_writer;
mod refused;
mod runner_process;
mod script_mark;
mod shared_rate_limiter;
mod tombstone;
pub mod version;

use std::path::{Path, PathBuf};

use fargate_files::FileError;
use fargate_model::cause::{CauseReport, FailureCause};

use crate::host::is_short_of;

pub use admission::{JobAdmission, JobHold, JobHoldKind};
pub use fargate_files::{DistrustedPath, FileLock, is_trusted_owner, others_may_write, user_name};
pub use folder::{HostOwner, StateFolder};
pub use folder_origin::FolderOrigin;
pub use host::HostError;
pub use job_states::JobState;
pub use launch_request::{CapacityProviderShare, ContainerSpec, LaunchRequest, TaskCapacity};
pub use record::{JobRecord, SecretString, TaskLocation, TaskOrigin, TaskServer};
pub use record_writer::RecordWriter;
pub use runner_process::{RunnerLiveness, RunnerProcess};
pub use shared_rate_limiter::SharedRateLimiter;
pub use tombstone::JobTombstone;

/// Why the state could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The disk, or the rights on it.
    #[error("{doing} {}", path.display())]
    Disk {
        /// What was being done.
        doing: &'static str,
        /// With which file or folder.
        path: PathBuf,
        /// The operating system's words.
        #[source]
        source: std::io::Error,
    },
    /// The file is there, but cannot be read, or is not as we wrote it.
    #[error("reading {}: {what}", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The name that this host's tasks carry cannot be read.
    #[error("reading {}: {what}", path.display())]
    HostName {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// Another user may have written it, so it is not believed.
    #[error("not using {}: {}", path.display(), why.what)]
    Distrusted {
        /// Which file or folder.
        path: PathBuf,
        /// Who, and what mends it.
        why: DistrustedPath,
    },
    /// Written by a newer version, with the part that every version understands.
    #[error("reading {}: written by a newer version (schema {schema}, this one reads up to {})", path.display(), version::this().reads)]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Its schema.
        schema: u64,
        /// What is needed to clean up.
        core: Box<TaskLocation>,
    },
    /// Another process holds the job.
    #[error("another process holds {}", path.display())]
    Held {
        /// The lock.
        path: PathBuf,
    },
    /// `cleanup`, or another `prepare`, has taken the job over in the meantime.
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
    /// For `map_err`, where the operating system refuses something.
    pub fn host(doing: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Host(HostError { doing, source })
    }

    /// The catalogue's words for it.
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
            Self::Newer { path, schema, .. } => at(FailureCause::StateDamaged, path).quoting(
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
