//! What a reaper must know about its host, and why it cannot begin.

use std::path::PathBuf;

use fargate_aws::CallCounter;
use fargate_config::JobProfile;
use fargate_mask::SharedMasker;
use fargate_model::text::error_chain;
use fargate_state::StateError;

/// What the reaper must know about its host.
#[derive(Clone, Debug)]
pub struct ReaperSettings {
    /// This host's name, if the configuration gives one.
    pub owner: Option<String>,
    /// The folder that holds the records.
    pub state_dir: PathBuf,
    /// The profiles whose clusters are searched.
    pub profiles: Vec<JobProfile>,
    /// Whether these are all profiles under which jobs run.
    pub is_whole: bool,
    /// Masks what is told of them.
    pub masker: SharedMasker,
    /// Counts the calls of ECS.
    pub calls: CallCounter,
}

/// Why the reaper did not look at anything.
#[derive(Debug, thiserror::Error)]
pub enum ReapError {
    /// The folder is missing. Without the records, every live task would look like an orphan.
    #[error(
        "the state folder {} does not exist, so every task would look like an orphan; check that its disk is mounted and that jobs use the same `state_dir`",
        path.display()
    )]
    NoFolder {
        /// The folder, or the missing part of its path.
        path: PathBuf,
    },
    /// The folder is a copy. It knows the same tasks as the original, but not which of them jobs
    /// still use.
    #[error(
        "the state folder {} is a copy from another machine, and jobs there may still use its tasks",
        path.display()
    )]
    Copied {
        /// The folder.
        path: PathBuf,
    },
    /// The folder cannot be used.
    #[error("{}", error_chain(.0))]
    State(StateError),
    /// Another process already stops orphans on this host.
    #[error("another `tasks reap` is running on this host")]
    Busy,
}

impl From<StateError> for ReapError {
    fn from(error: StateError) -> Self {
        match error {
            StateError::Disk { path, source, .. }
                if source.kind() == std::io::ErrorKind::NotFound =>
            {
                Self::NoFolder { path }
            }
            StateError::Held { .. } => Self::Busy,
            error => Self::State(error),
        }
    }
}
