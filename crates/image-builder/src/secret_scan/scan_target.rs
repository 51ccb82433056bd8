//! What `image scan` was given: a folder, a tar, or an image of the engine.

use std::path::{Path, PathBuf};

use crate::failure::ImageFailure;

/// What is to be searched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScanTarget {
    /// A folder in the OCI image layout.
    Layout(PathBuf),
    /// A tar with images, as `docker save` writes it, or with a layout.
    Archive(PathBuf),
    /// An image of the Docker Engine, by name, id or digest.
    EngineImage(String),
}

impl ScanTarget {
    /// What this text means: a folder or a file that exists, else an image.
    ///
    /// # Errors
    ///
    /// [`ImageFailure::Unusable`] for a folder without layout, a packed tar, and a path that does not exist.
    pub fn of(given: &str) -> Result<Self, ImageFailure> {
        let path = Path::new(given);
        let wrong = |what: &str, hint: &str| ImageFailure::Unusable {
            what: format!("scanning {given}: {what}"),
            hint: hint.to_owned(),
        };
        match std::fs::metadata(path) {
            Ok(found) if found.is_dir() && path.join("index.json").is_file() => {
                Ok(Self::Layout(path.to_owned()))
            }
            Ok(found) if found.is_dir() => Err(wrong(
                "the folder has no index.json, so it is no OCI image layout",
                "`image check NAME` searches the folder that an image is built from",
            )),
            Ok(found) if found.is_file() => Ok(Self::Archive(path.to_owned())),
            Ok(_) => Err(wrong("it is neither a file nor a folder", "name a tar or a layout")),
            Err(_) if given.is_empty() || given.starts_with(['/', '.']) => Err(wrong(
                "there is no such file or folder",
                "name an image of the engine, a tar of `docker save`, or a folder in the OCI image layout",
            )),
            Err(_) => Ok(Self::EngineImage(given.to_owned())),
        }
    }
}
