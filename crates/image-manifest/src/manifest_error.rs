//! Why the manifest cannot be used or written. Each text says what is wrong, where, and what to do next.

use std::path::PathBuf;

use fargate_files::FileError;

/// Why the manifest cannot be used or written.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// There is no such file.
    #[error("there is no manifest {}; docs/IMAGES.md shows one", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be read, written or locked.
    #[error(transparent)]
    File(#[from] FileError),
    /// It is no manifest.
    #[error("the manifest {} cannot be used: {what}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        what: String,
    },
    /// A newer version of this program wrote it.
    #[error(
        "the manifest {} has schema {schema}; this program reads schema {}; install a newer version",
        path.display(),
        crate::MANIFEST_SCHEMA
    )]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// Its schema.
        schema: u64,
    },
    /// Somebody else changed it since it was read. Nothing was written.
    #[error(
        "the manifest {} was changed by somebody else in the meantime, so nothing was written; run the \
         command again",
        path.display()
    )]
    Changed {
        /// The file.
        path: PathBuf,
    },
}
