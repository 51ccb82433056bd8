//! Files that several processes of one host share: each appears whole or not at all, is guarded by a
//! lock that ends with its holder, and is believed only if no other user may have written it.
//!
//! It does not know what a file holds. It follows no symbolic link in the last part of a path.

mod atomic;
mod lock;
mod ownership;
mod regular_file;

use std::path::{Path, PathBuf};

pub use atomic::{read, remove, remove_beside, write, write_public};
pub use lock::FileLock;
pub use ownership::{
    DistrustedPath, is_trusted_owner, others_may_write, require_own_file, require_own_folder,
    shared_with_others, user_name,
};
pub use regular_file::read_at_most;

/// Why a file could not be read, written or locked.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The disk refused, or rights are missing.
    #[error("{doing} {}", path.display())]
    Disk {
        /// What the process was doing.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The error of the operating system.
        #[source]
        source: std::io::Error,
    },
    /// The file is there, but cannot be read.
    #[error("reading {}: {what}", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// Another user may have written it, so it is not trusted.
    #[error("not using {}: {}", path.display(), why.what)]
    Distrusted {
        /// Which file or folder.
        path: PathBuf,
        /// Who may have written it, and how to correct that.
        why: DistrustedPath,
    },
    /// Another process holds the lock.
    #[error("another process holds {}", path.display())]
    Held {
        /// The lock.
        path: PathBuf,
    },
}

impl FileError {
    /// Makes one in `map_err`, for what the operating system refused.
    pub fn disk(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Disk { doing, path, source }
    }
}
