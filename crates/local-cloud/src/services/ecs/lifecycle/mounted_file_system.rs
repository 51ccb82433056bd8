//! What a task has mounted.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// The file systems that a task has mounted, by the names of their volumes.
pub(super) type TaskFileSystems = BTreeMap<String, MountedFileSystem>;

/// One mounted file system.
pub(super) struct MountedFileSystem {
    pub folder: PathBuf,
    pub is_writable: bool,
}
