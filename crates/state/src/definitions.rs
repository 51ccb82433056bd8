//! Where the processes of a host keep what they know of registered task definitions, and the lock under
//! which one of them registers one for all.
//!
//! What the files hold is known to the crate that registers. No clean-up of a job sweeps them.

use std::path::PathBuf;

use fargate_files::{FileLock, require_own_folder};
use sha2::{Digest, Sha256};

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

    /// The lock of the process that looks up or registers a task definition of `family` for this host.
    /// `account` names the account and how it is reached: whoever waits for one account keeps nobody from
    /// another one.
    ///
    /// # Errors
    ///
    /// Returns [`StateError::Held`] if another process has it.
    pub fn lock_definitions(&self, account: &str, family: &str) -> Result<FileLock, StateError> {
        let place = Sha256::digest(format!("{account} {family}"));
        let name = format!("definitions-{}", hex::encode(&place[..8]));
        Ok(FileLock::take_now(&self.root().join("locks").join(name))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_of_definitions_is_for_one_family_of_one_account() {
        let root = tempfile::tempdir().unwrap();
        let folder = StateFolder::open(root.path(), std::time::Duration::from_secs(1)).unwrap();
        let held = folder.lock_definitions("account", "ci").unwrap();
        let again = folder.lock_definitions("account", "ci");
        assert!(matches!(again, Err(StateError::Held { .. })), "{again:?}");
        for (account, family) in [("account", "other"), ("other", "ci")] {
            assert!(folder.lock_definitions(account, family).is_ok(), "{account} {family}");
        }
        drop(held);
        assert!(folder.lock_definitions("account", "ci").is_ok());
    }
}
