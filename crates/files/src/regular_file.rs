//! Small files of this host that hold settings: read whole, and never waited for.

use std::fs::OpenOptions;
use std::io::{Error, Read, Result};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The bytes of a regular file, at most `longest` and one more, so that a longer one is seen as such.
///
/// # Errors
///
/// Those of the operating system; and a pipe or a device is refused, because it could be waited for.
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
