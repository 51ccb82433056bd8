//! Reads small files that hold settings. It reads the whole file, and never waits for one.
//!
//! It does not check who may have written a file.

use std::fs::OpenOptions;
use std::io::{Error, Read, Result};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Reads a regular file, at most `longest` bytes and one more, so that the caller sees if it is
/// longer.
///
/// # Errors
///
/// Returns the operating system's error if the file cannot be read. A pipe or a device is refused,
/// because a read of it might wait.
pub fn read_at_most(path: &Path, longest: u64) -> Result<Vec<u8>> {
    let flags = nix::fcntl::OFlag::O_NONBLOCK.bits();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(longest + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
