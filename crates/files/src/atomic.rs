//! Writes files so that they appear whole or not at all, and reads them. Nobody else may read them, except
//! where the caller says so. It never follows a symbolic link.
//!
//! It does not know what a file means.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use fargate_fail_point::FailPoint;
use nix::fcntl::OFlag;

use crate::FileError;
use crate::ownership::{require_own_file, unopened};

/// Largest file that is read, in bytes: many times what a job needs.
const MAX_BYTES: u64 = 1024 * 1024;

/// Writes `bytes` to `path`: a new file beside it, fsync, rename, fsync of the folder. The caller
/// holds the lock of `path`, so the new file's name can be fixed and a crash leaves at most one.
///
/// # Errors
///
/// [`FileError::Disk`].
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    replace(path, bytes, 0o600)
}

/// Writes as [`write()`] does a file that everybody may read. It must hold no secret.
///
/// # Errors
///
/// [`FileError::Disk`].
pub fn write_public(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    replace(path, bytes, 0o644)
}

fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
    let new = beside(path);
    // Always create the file: if somebody left one there, others may be able to write to it.
    let create = || OpenOptions::new().write(true).create_new(true).mode(mode).open(&new);
    let put = || -> io::Result<()> {
        let mut file = match create() {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                std::fs::remove_file(&new)?;
                create()?
            }
            created => created?,
        };
        file.write_all(bytes)?;
        file.sync_all()?;
        FailPoint::FileWritten.reached();
        std::fs::rename(&new, path)?;
        FailPoint::FileRenamed.reached();
        sync_folder(path)
    };
    put().map_err(|error| {
        // Half a file may hold a key, so remove it. The first error is the one to report.
        let _ = std::fs::remove_file(&new);
        FileError::disk("writing", path)(error)
    })
}

/// Reads `path`; `None` if it is not there. What cannot be read counts as damaged, and what others
/// may have written is not believed.
///
/// # Errors
///
/// [`FileError::Damaged`] and [`FileError::Distrusted`].
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    let damaged = |what: String| FileError::Damaged { path: path.to_owned(), what };
    let unread = |error: io::Error| match error.raw_os_error() {
        // Only for the last part of the path are links forbidden, so the link is the file itself.
        Some(nix::libc::ELOOP) => damaged("it is a symbolic link".to_owned()),
        _ => damaged(error.to_string()),
    };
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits())
        .open(path);
    let file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unopened(path).unwrap_or_else(|| unread(error))),
    };
    let metadata = file.metadata().map_err(unread)?;
    require_own_file(path, &metadata)?;
    if !metadata.is_file() {
        return Err(damaged("it is not a regular file".to_owned()));
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unread)?;
    match bytes.len() as u64 > MAX_BYTES {
        true => Err(damaged("larger than 1 MiB".to_owned())),
        false => Ok(Some(bytes)),
    }
}

/// Removes `path` and what a crash may have left beside it; nothing there is a success, and a folder
/// that somebody put in its place goes as well.
///
/// # Errors
///
/// [`FileError::Disk`].
pub fn remove(path: &Path) -> Result<(), FileError> {
    for path in [&beside(path), path] {
        let removed = match std::fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
                std::fs::remove_dir_all(path)
            }
            removed => removed,
        };
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(FileError::disk("removing", path)(error));
            }
            Ok(()) => FailPoint::FileRemoved.reached(),
            Err(_) => {}
        }
    }
    sync_folder(path).map_err(FileError::disk("syncing the folder of", path))
}

/// Removes what a crash may have left beside `path`. The caller holds the lock of `path`.
pub fn remove_beside(path: &Path) {
    // What cannot be removed stays for the next sweep.
    let _ = std::fs::remove_file(beside(path));
}

fn beside(path: &Path) -> std::path::PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}
