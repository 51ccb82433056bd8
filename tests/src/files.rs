//! Looking for bytes in files, and changing a file as a hostile disk would.

use std::fs;
use std::path::{Path, PathBuf};

/// True if `text` occurs in `bytes`.
#[must_use]
pub fn contains(bytes: &[u8], text: &[u8]) -> bool {
    !text.is_empty() && bytes.windows(text.len()).any(|window| window == text)
}

/// Every regular file below `folder`.
#[must_use]
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(kind) if kind.is_file() => found.push(entry.path()),
                _ => {}
            }
        }
    }
    found.sort();
    found
}

/// Replaces the one occurrence of `old` in the file `path`.
///
/// # Panics
///
/// If there is not exactly one.
pub fn replace_in(path: &Path, old: &str, new: &str) {
    let text = fs::read_to_string(path).expect("a text file");
    assert_eq!(text.matches(old).count(), 1, "{old:?} in {}", path.display());
    fs::write(path, text.replace(old, new)).expect("a writable file");
}
