//! Changing a file as a hostile disk would.

use std::fs;
use std::path::Path;

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
