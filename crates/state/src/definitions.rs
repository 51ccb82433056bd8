//! Where the processes of a host keep what they know of registered task definitions, and the lock under
//! which one of them registers one for all.
//!
//! What the files hold is known to the crate that registers. No clean-up of a job sweeps them.

use std::path::PathBuf;

use fargate_files::{FileLock, require_own_folder};

use crate::StateError;
use crate::folder::{StateFolder, make_folder};

impl StateFolder {
    /// The folder of these files. It is made when it is first needed.
    ///
    /// # Errors
    ///
    /// Returns [`StateError`] if it cannot be made, or if another user may write to it.
    pub fn definitions(&self) -> Result<PathBuf, StateError> {
        let folder = self.root().join("definitions");
        if folder.symlink_metadata().is_err() {
            make_folder(&folder)?;
        }
        require_own_folder(&folder)?;
        Ok(folder)
    }

    /// The lock of the process that looks up or registers a task definition for this host.
    ///
    /// # Errors
    ///
    /// Returns [`StateError::Held`] if another process has it.
    pub fn lock_definitions(&self) -> Result<FileLock, StateError> {
        Ok(FileLock::take_now(&self.root().join("locks").join("definitions"))?)
    }
}
