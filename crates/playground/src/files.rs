//! Files that another process may read while they are written.

use std::io::{self, Write};
use std::path::Path;

/// Writes the whole file or nothing: whoever reads it meanwhile gets the old text or the new one. Only
/// its owner reads it, because a temporary file has the mode 0600.
///
/// # Errors
///
/// What kept the file from being written beside its place, or from being moved there.
pub fn write_whole(path: &Path, text: impl AsRef<[u8]>) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_ref())?;
    file.persist(path)?;
    Ok(())
}
