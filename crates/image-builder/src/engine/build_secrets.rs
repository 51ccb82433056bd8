//! The secrets of a build: read from files, held in memory, given to BuildKit when a step asks for one.
//!
//! They are never build arguments: those are part of the image.

use std::fmt;
use std::io::Read;
use std::path::Path;

use fargate_mask::SharedMasker;
use zeroize::Zeroizing;

use crate::failure::ImageFailure;

/// Largest secret, in bytes.
///
/// Source: moby/buildkit, session/secrets: `MaxSecretSize`.
const MAX_SECRET_BYTES: u64 = 500 * 1024;

/// Secrets by their ids.
#[derive(Default)]
pub struct BuildSecrets(Vec<(String, Zeroizing<Vec<u8>>)>);

impl BuildSecrets {
    /// Reads the files of `ID=/PATH` each; blocks. `masker` learns every secret, and each of its lines.
    ///
    /// # Errors
    ///
    /// [`ImageFailure::Unusable`] if a file cannot be read, is empty, or is too large.
    pub fn read(given: &[String], masker: &SharedMasker) -> Result<Self, ImageFailure> {
        let mut secrets = Vec::new();
        for (id, path) in given.iter().filter_map(|given| given.split_once('=')) {
            let content = content(id, Path::new(path))?;
            let text = Zeroizing::new(String::from_utf8_lossy(&content).into_owned());
            masker.remember(text.trim());
            for line in text.lines() {
                masker.remember(line.trim());
            }
            secrets.push((id.to_owned(), content));
        }
        Ok(Self(secrets))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn get(&self, id: &str) -> Option<&[u8]> {
        self.0.iter().find(|(known, _)| known == id).map(|(_, content)| content.as_slice())
    }
}

impl fmt::Debug for BuildSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(id, _)| id)).finish()
    }
}

fn content(id: &str, path: &Path) -> Result<Zeroizing<Vec<u8>>, ImageFailure> {
    let unusable = |what: String| ImageFailure::Unusable {
        what: format!("reading the build secret `{id}` from {}: {what}", path.display()),
        hint: "correct `build_secrets` of the image, or the file".to_owned(),
    };
    let mut content = Zeroizing::new(Vec::new());
    let file = std::fs::File::open(path).map_err(|error| unusable(error.to_string()))?;
    if !file.metadata().is_ok_and(|found| found.is_file()) {
        return Err(unusable("it is no file".to_owned()));
    }
    let read = file.take(MAX_SECRET_BYTES + 1).read_to_end(&mut content);
    match read.map_err(|error| unusable(error.to_string()))? {
        0 => Err(unusable("it is empty".to_owned())),
        length if length as u64 > MAX_SECRET_BYTES => {
            Err(unusable(format!("it has more than {MAX_SECRET_BYTES} bytes")))
        }
        _ => Ok(content),
    }
}
