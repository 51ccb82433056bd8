//! One folder in which everything that is made belongs to one user, whoever makes it: a mount of `bindfs`, which is a
//! process of its own. It ends when this value is dropped, and when the thread that made it ends.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use tokio::time::{sleep, timeout};

use super::container::FileOwner;

/// How long `bindfs` may take until the folder is there, and until it is gone.
const DEADLINE: Duration = Duration::from_secs(5);
/// Between two looks.
const AGAIN: Duration = Duration::from_millis(2);
/// Bytes of what `bindfs` says that an error shows.
const SAID_BYTES: u64 = 500;

/// A mount.
pub struct IdentityMount {
    target: PathBuf,
    process: Child,
}

/// Why there is no such mount.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IdentityMountError {
    #[error(
        "it acts as the access point's user {uid}:{gid} for root alone; run the cloud as root, or use an access point \
         without PosixUser"
    )]
    NotRoot { uid: u32, gid: u32 },
    #[error(
        "bindfs, by which it acts as the access point's user {uid}:{gid}, did not start: {source}; install it (Debian: \
         apt-get install bindfs), or use an access point without PosixUser"
    )]
    NotStarted { uid: u32, gid: u32, source: io::Error },
    #[error("bindfs did not mount its folder: {said}")]
    NotMounted { said: String },
    #[error("making the folder for a mount: {0}")]
    Folder(io::Error),
}

impl IdentityMount {
    /// Shows `source` at `target`, which is made. With `is_for_all_users` everybody may there what the owner of a file
    /// may, and sees the owner's permissions as those of everybody; without it only root and the owner may.
    pub async fn open(
        source: &Path,
        target: PathBuf,
        owner: FileOwner,
        is_for_all_users: bool,
    ) -> Result<Self, IdentityMountError> {
        let FileOwner { uid, gid } = owner;
        if !geteuid().is_root() {
            return Err(IdentityMountError::NotRoot { uid, gid });
        }
        fs::create_dir_all(&target).map_err(IdentityMountError::Folder)?;
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "TERM", "--", "bindfs", "-f"]);
        command.args([format!("--create-for-user={uid}"), format!("--create-for-group={gid}")]);
        // Nobody can give files away, as on EFS; the set-user-ID bit has no use there.
        command.args(["--chown-deny", "--chgrp-deny", "-o", "nosuid,nodev,fsname=efs"]);
        if is_for_all_users {
            command.arg("--perms=go=u");
        }
        command.arg(source).arg(&target).stdin(Stdio::null()).stdout(Stdio::null());
        let started = command.stderr(Stdio::piped()).spawn();
        let process =
            started.map_err(|source| IdentityMountError::NotStarted { uid, gid, source })?;
        let mut mount = Self { target, process };
        let within = timeout(DEADLINE, mount.until_mounted()).await;
        within.unwrap_or_else(|_| {
            Err(IdentityMountError::NotMounted { said: format!("not within {DEADLINE:?}") })
        })?;
        Ok(mount)
    }

    /// Where the folder is shown.
    pub fn target(&self) -> &Path {
        &self.target
    }

    async fn until_mounted(&mut self) -> Result<(), IdentityMountError> {
        while !is_mounted(&self.target) {
            if let Ok(Some(status)) = self.process.try_wait() {
                let mut said = String::new();
                if let Some(stderr) = self.process.stderr.take() {
                    // What cannot be read is not said.
                    let _ = stderr.take(SAID_BYTES).read_to_string(&mut said);
                }
                let said = format!("{status}: {}", said.trim());
                return Err(IdentityMountError::NotMounted { said });
            }
            sleep(AGAIN).await;
        }
        Ok(())
    }

    /// Waits until the process has ended, or ends it.
    fn wait(&mut self) {
        let started = Instant::now();
        while matches!(self.process.try_wait(), Ok(None)) {
            if started.elapsed() > DEADLINE {
                // An error means that it has just ended.
                let _ = self.process.kill();
                let _ = self.process.wait();
                return;
            }
            thread::sleep(AGAIN);
        }
    }
}

impl Drop for IdentityMount {
    fn drop(&mut self) {
        // It was not waited for, so the number is still its own. At SIGTERM it takes its mount away.
        if let Ok(pid) = i32::try_from(self.process.id()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        self.wait();
        if is_mounted(&self.target) {
            // It was killed. An error leaves the mount until the machine ends.
            let _ = Command::new("umount").arg("-l").arg(&self.target).status();
        }
        // Empty, unless it is still mounted.
        let _ = fs::remove_dir(&self.target);
    }
}

/// Whether another file system is shown at `target`, or one whose process was killed.
fn is_mounted(target: &Path) -> bool {
    let Ok(found) = fs::metadata(target) else { return target.symlink_metadata().is_err() };
    let parent = target.parent().and_then(|parent| parent.metadata().ok());
    parent.is_some_and(|parent| parent.dev() != found.dev())
}
