//! The request to keep a task after its job, and what the agent did before it kept the task.
//!
//! Which tasks are kept, and how their secrets are found, is the matter of driver and agent.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::task_lease::TaskLease;

/// Most bytes of [`TaskKeepRequest::traces`]. They fit into one frame.
pub const MAX_TRACES: usize = 48 * 1024;

/// A text that must not stay in a kept task. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretTrace {
    /// The secret, or its beginning.
    pub text: String,
    /// Whether this is only its beginning. A file that holds it is then removed, because nobody knows
    /// where the secret ends in it.
    #[serde(default)]
    pub is_cut: bool,
}

impl fmt::Debug for SecretTrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// What to wipe, and how long the task lives then: the body of [`crate::ClientMessage::Keep`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskKeepRequest {
    /// Texts to look for in all files that changed since the agent started.
    pub traces: Vec<SecretTrace>,
    /// Absolute paths of folders in which gitlab-runner builds. In them, each folder that it made
    /// beside a project for secrets is removed.
    pub build_folders: Vec<String>,
    /// Longest time for all of it, in ms.
    pub within_ms: u64,
    /// How long the task lives once everything is wiped.
    pub lease: TaskLease,
}

/// What the agent did before it kept the task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskKeepReport {
    /// Files that were searched.
    pub searched: u64,
    /// Files and folders that were removed.
    pub removed: u64,
    /// Files in which a secret was overwritten.
    pub masked: u64,
}
