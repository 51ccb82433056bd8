//! A folder of small files that holds at most so many bytes: what was not used for the longest time goes first.
//!
//! The time of a file is that of its last use. Several processes may use one folder: each file is replaced as a
//! whole, and one that another process removed is simply not there. Nothing is synced to the disk, because all
//! of it can be made again.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::SystemTime;

/// Room that the smallest file takes. Source: the usual block of ext4 and XFS.
const BLOCK: u64 = 4096;
/// Files that other programs put there and that are larger are not read. Ours.
const LONGEST_FILE: u64 = 8 * 1024 * 1024;

/// The folder. It holds nothing else.
#[derive(Clone, Debug)]
pub(super) struct CacheFolder {
    pub path: PathBuf,
    /// Most bytes of all files, in whole blocks.
    pub most_bytes: u64,
}

impl CacheFolder {
    /// The content of a file, which counts as used now.
    pub fn read(&self, name: &str) -> Option<Vec<u8>> {
        let path = self.path.join(name);
        let content = fargate_files::read_at_most(&path, LONGEST_FILE).ok()?;
        if let Ok(file) = File::options().append(true).open(&path) {
            let _ = file.set_modified(SystemTime::now());
        }
        Some(content)
    }

    /// Writes a file, whole or not at all.
    pub fn write(&self, name: &str, content: &[u8]) {
        let new = self.path.join(format!("{name}.{}.new", std::process::id()));
        let written = fs::create_dir_all(&self.path)
            .and_then(|()| new_file(&new))
            .and_then(|mut file| {
                file.write_all(content)?;
                // More exact than the time of the file system, so that the order is right.
                file.set_modified(SystemTime::now())
            })
            .and_then(|()| fs::rename(&new, self.path.join(name)));
        if written.is_err() {
            let _ = fs::remove_file(&new);
        }
    }

    /// Removes files until the rest takes nine tenths of the room, if they take more than all of it.
    pub fn keep_small(&self) {
        let Ok(entries) = fs::read_dir(&self.path) else { return };
        let found = entries.flatten().filter_map(|entry| {
            let found = entry.metadata().ok().filter(fs::Metadata::is_file)?;
            let room = found.len().div_ceil(BLOCK).max(1).saturating_mul(BLOCK);
            Some((found.modified().ok()?, room, entry.path()))
        });
        let mut files: Vec<_> = found.collect();
        let mut taken: u64 = files.iter().map(|(_, room, _)| room).sum();
        if taken <= self.most_bytes {
            return;
        }
        files.sort_unstable();
        for (_, room, path) in files {
            if taken <= self.most_bytes / 10 * 9 {
                return;
            }
            if fs::remove_file(path).is_ok() {
                taken -= room;
            }
        }
    }
}

/// Nobody else reads what images of this user are made of.
fn new_file(path: &std::path::Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}
