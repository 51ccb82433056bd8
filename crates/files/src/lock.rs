//! A lock between processes. It ends with its holder, whatever kills the holder.
//!
//! It knows nothing of what it guards.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};
use tokio::time::{Instant, sleep};

use crate::FileError;

/// Time between two tries at a lock that is held.
const AGAIN: Duration = Duration::from_millis(2);

/// A lock that is held as long as this lives. Dropping it removes its file.
#[derive(Debug)]
pub struct FileLock {
    path: PathBuf,
    _file: Flock<File>,
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // The lock is still held here, so nobody else has locked this file. A process that waits
        // for it sees that the file is gone, and creates another.
        let _ = std::fs::remove_file(&self.path);
    }
}

impl FileLock {
    /// Takes the lock, waiting at most `within`. The thread goes on with other work meanwhile. A lock
    /// that nobody holds is taken without a wait.
    ///
    /// # Errors
    ///
    /// [`FileError::Held`] at the deadline, [`FileError::Disk`] where no lock can be made.
    pub async fn take(path: &Path, within: Duration) -> Result<Self, FileError> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(lock) = Self::attempt(path)? {
                return Ok(lock);
            }
            if Instant::now() >= deadline {
                return Err(FileError::Held { path: path.to_owned() });
            }
            sleep(AGAIN).await;
        }
    }

    /// Takes the lock if nobody holds it at this moment.
    ///
    /// # Errors
    ///
    /// [`FileError::Held`] if somebody does, [`FileError::Disk`] where no lock can be made.
    pub fn take_now(path: &Path) -> Result<Self, FileError> {
        Self::attempt(path)?.ok_or_else(|| FileError::Held { path: path.to_owned() })
    }

    fn attempt(path: &Path) -> Result<Option<Self>, FileError> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits())
            .open(path)
            .map_err(FileError::disk("making the lock", path))?;
        let file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(file) => file,
            Err((_, Errno::EWOULDBLOCK)) => return Ok(None),
            Err((_, error)) => return Err(FileError::disk("locking", path)(error.into())),
        };
        // The former holder may have removed the file between our open and our lock.
        let same = match (file.metadata(), std::fs::symlink_metadata(path)) {
            (Ok(ours), Ok(there)) => ours.ino() == there.ino() && ours.dev() == there.dev(),
            _ => false,
        };
        Ok(same.then(|| Self { path: path.to_owned(), _file: file }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_by_one_and_its_file_goes_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let lock = FileLock::take_now(&path).unwrap();
        assert!(matches!(FileLock::take_now(&path), Err(FileError::Held { .. })));
        drop(lock);
        assert!(!path.exists());
        FileLock::take_now(&path).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_lock_is_waited_for_until_the_deadline_while_the_thread_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let within = Duration::from_secs(5);
        let lock = FileLock::take_now(&path).unwrap();
        let begun = Instant::now();
        let held = FileLock::take(&path, within).await;
        assert!(matches!(held, Err(FileError::Held { .. })));
        assert!(begun.elapsed() >= within, "{:?}", begun.elapsed());
        let (taken, ()) = tokio::join!(FileLock::take(&path, within), async {
            sleep(within / 2).await;
            drop(lock);
        });
        taken.unwrap();
    }

    #[test]
    fn many_threads_never_hold_it_together() {
        use std::sync::atomic::{AtomicU32, Ordering};
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let inside = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let runtime =
                        tokio::runtime::Builder::new_current_thread().enable_time().build();
                    runtime.unwrap().block_on(async {
                        for _ in 0..50 {
                            let lock = FileLock::take(&path, Duration::from_secs(30)).await;
                            let _lock = lock.unwrap();
                            assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                            inside.fetch_sub(1, Ordering::SeqCst);
                        }
                    });
                });
            }
        });
    }
}
