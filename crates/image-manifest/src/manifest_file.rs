//! The manifest as a file: read whole, and replaced only if it is still the one that was read.
//!
//! Two writers on one host are kept apart by a lock and by a comparison; writers on two hosts by git.

use std::path::{Path, PathBuf};

use fargate_files::{FileError, FileLock};
use sha2::{Digest, Sha256};

use crate::manifest::UnreadableText;
use crate::{ImageManifest, ManifestError};

/// A manifest that was read, and what its file held then.
#[derive(Clone, Debug)]
pub struct ManifestFile {
    path: PathBuf,
    /// The hash of the bytes; `None` if there was no file.
    found: Option<[u8; 32]>,
    /// What the file says, or is to say.
    pub manifest: ImageManifest,
}

impl ManifestFile {
    /// Reads the file. It must be there.
    ///
    /// # Errors
    ///
    /// [`ManifestError`], if it is missing, not trusted, or no manifest.
    pub fn read(path: &Path) -> Result<Self, ManifestError> {
        let file = Self::read_or_empty(path)?;
        match file.found {
            Some(_) => Ok(file),
            None => Err(ManifestError::Missing { path: path.to_owned() }),
        }
    }

    /// The same, but a file that is missing counts as one without images.
    ///
    /// # Errors
    ///
    /// [`ManifestError`], if it is not trusted or no manifest.
    pub fn read_or_empty(path: &Path) -> Result<Self, ManifestError> {
        let path = path.to_owned();
        let Some(bytes) = fargate_files::read(&path)? else {
            return Ok(Self { path, found: None, manifest: ImageManifest::default() });
        };
        match ImageManifest::parse(&bytes) {
            Ok(manifest) => Ok(Self { path, found: Some(hash(&bytes)), manifest }),
            Err(UnreadableText::NewerSchema(schema)) => {
                Err(ManifestError::NewerSchema { path, schema })
            }
            Err(UnreadableText::Malformed(what)) => Err(ManifestError::Malformed { path, what }),
        }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the manifest if the file is still what was read. A manifest that says the same as the file
    /// is not written.
    ///
    /// # Errors
    ///
    /// [`ManifestError::Changed`] if somebody else wrote in the meantime, or writes at this moment; then
    /// nothing was written. Else what the disk refused, or [`ManifestError::Malformed`] for a manifest that
    /// could not be read again.
    pub fn save(&mut self) -> Result<(), ManifestError> {
        let text = self.manifest.text().map_err(|what| {
            let path = self.path.clone();
            ManifestError::Malformed { path, what }
        })?;
        let changed = || ManifestError::Changed { path: self.path.clone() };
        let _lock = FileLock::take_now(&lock_path(&self.path)).map_err(|error| match error {
            FileError::Held { .. } => changed(),
            error => error.into(),
        })?;
        // What a process that was killed left beside the manifest.
        fargate_files::remove_beside(&self.path);
        let there = fargate_files::read(&self.path)?.map(|bytes| hash(&bytes));
        if there != self.found {
            return Err(changed());
        }
        let new = hash(text.as_bytes());
        if there != Some(new) {
            fargate_files::write_public(&self.path, text.as_bytes())?;
        }
        self.found = Some(new);
        Ok(())
    }
}

fn hash(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Beside the manifest, so that it is on the same disk and needs no folder of its own.
fn lock_path(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.lock"))
}
