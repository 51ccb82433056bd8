//! On which machine a state folder was made.
//!
//! If a machine is copied, for example as an image, the copy of the folder has the same name for
//! its tasks. It must not take the tasks of the original for orphans. This module only compares;
//! the caller decides.

use fargate_events::{JobEvent, emit};
use fargate_files as files;
use fargate_files::FileLock;
use fargate_model::text::escape_within;
use sha2::{Digest, Sha256};

use crate::{StateError, StateFolder};

/// Files that identify a machine and do not change when it restarts: systemd's id, and the asset
/// tag, which is the instance id on EC2.
///
/// Source: machine-id(5); Amazon EC2 User Guide, "Identify EC2 instances".
const IDS: [&str; 2] = ["/etc/machine-id", "/sys/devices/virtual/dmi/id/board_asset_tag"];

/// Where a folder was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FolderOrigin {
    /// On this machine, or nothing identifies machines here.
    Here,
    /// Unknown: an older version made the folder.
    Unknown,
    /// On another machine.
    Elsewhere,
}

/// A hash, so that the folder does not repeat an id that others may treat as a secret. `None` if
/// nothing identifies this machine.
fn this_machine() -> Option<String> {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    let ids = IDS.map(read);
    let known = ids.iter().any(|id| !id.is_empty());
    known.then(|| hex::encode(Sha256::digest(ids.join("\n"))))
}

impl StateFolder {
    /// Compares the machine in the folder with this one.
    ///
    /// # Errors
    ///
    /// Returns [`StateError`] if the file cannot be read.
    pub fn made(&self) -> Result<FolderOrigin, StateError> {
        let path = self.root().join("machine");
        let Some(here) = this_machine() else { return Ok(FolderOrigin::Here) };
        match files::read(&path)? {
            Some(made) if made.trim_ascii() == here.as_bytes() => Ok(FolderOrigin::Here),
            Some(_) => Ok(FolderOrigin::Elsewhere),
            None => Ok(FolderOrigin::Unknown),
        }
    }

    /// Writes this machine into the folder. It only protects against copies, so a full disk is no
    /// failure.
    pub async fn learn_machine(&self) {
        let Some(here) = this_machine() else { return };
        let path = self.root().join("locks").join("machine");
        let lock = FileLock::take(&path, self.lock_within()).await;
        let write = |_lock| files::write(&self.root().join("machine"), here.as_bytes());
        if let Err(error) = lock.and_then(write) {
            let message = escape_within(&error.to_string(), 300);
            emit(JobEvent::StateNotWritten { message });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn a_folder_that_was_copied_from_another_machine_is_known_as_that() {
        let root = tempfile::tempdir().unwrap();
        let folder = StateFolder::open(root.path(), Duration::from_secs(1)).unwrap();
        let path = root.path().join("machine");
        if this_machine().is_none() {
            return assert_eq!(folder.made().unwrap(), FolderOrigin::Here);
        }
        assert_eq!(folder.made().unwrap(), FolderOrigin::Unknown);
        folder.learn_machine().await;
        assert_eq!(folder.made().unwrap(), FolderOrigin::Here);
        std::fs::write(&path, "0".repeat(64)).unwrap();
        assert_eq!(folder.made().unwrap(), FolderOrigin::Elsewhere);
        std::fs::remove_file(&path).unwrap();
        // It is written together with the host's name.
        folder.owner(None).await.unwrap();
        assert_eq!(folder.made().unwrap(), FolderOrigin::Here);
    }
}
