//! A temporary folder for layers. It is removed when its guard is dropped; what a killed process left is
//! removed by the next one.
//!
//! A lock beside each folder says whether its process lives. The lock ends with the process.

use std::fs;
use std::path::{Path, PathBuf};

use fargate_files::FileLock;

use crate::failure::ImageFailure;

const PREFIX: &str = "image-spool-";

/// The folder. Dropping it removes it.
#[derive(Debug)]
pub struct SpoolFolder {
    path: PathBuf,
    _lock: FileLock,
}

impl SpoolFolder {
    /// Removes what dead processes left in `parent`, and makes a new folder there.
    ///
    /// # Errors
    ///
    /// [`ImageFailure::Unusable`] if the disk refuses.
    pub fn make(parent: &Path) -> Result<Self, ImageFailure> {
        let unusable = |what: String| ImageFailure::Unusable {
            what: format!("making a temporary folder in {}: {what}", parent.display()),
            hint: "set TMPDIR to a folder with room for three times the image".to_owned(),
        };
        let failed = |error: std::io::Error| unusable(error.to_string());
        fs::create_dir_all(parent).map_err(failed)?;
        remove_dead(parent);
        let token = fargate_model::random::bytes::<8>().map_err(failed)?;
        let token: String = token.iter().map(|byte| format!("{byte:02x}")).collect();
        let path = parent.join(format!("{PREFIX}{token}"));
        let lock = FileLock::take_now(&lock_of(&path))
            .map_err(|error| unusable(fargate_model::text::error_chain(&error)))?;
        fs::create_dir(&path).map_err(failed)?;
        Ok(Self { path, _lock: lock })
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SpoolFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

fn remove_dead(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if !name.starts_with(PREFIX) || !path.is_dir() {
            continue;
        }
        // Whoever gets the lock knows that its holder is gone.
        if let Ok(_lock) = FileLock::take_now(&lock_of(&path)) {
            let _ = fs::remove_dir_all(&path);
        }
    }
}

fn lock_of(folder: &Path) -> PathBuf {
    folder.with_extension("lock")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_goes_with_its_guard_and_that_of_a_dead_process_with_the_next_one() {
        let parent = tempfile::tempdir().unwrap();
        let dead = parent.path().join(format!("{PREFIX}dead"));
        fs::create_dir_all(dead.join("blobs")).unwrap();
        let first = SpoolFolder::make(parent.path()).unwrap();
        assert!(!dead.exists());
        let second = SpoolFolder::make(parent.path()).unwrap();
        assert!(first.path().is_dir() && second.path().is_dir());
        drop((first, second));
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    }
}
