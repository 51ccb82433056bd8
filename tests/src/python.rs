//! A Python with the libraries that these tests compare the product with. It is installed for them alone.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::neighbour::skip;

/// An interpreter that has what `tests/conformance/requirements.txt` names, installed where it is
/// missing; `None` after saying why it cannot be had here. In CI nothing is skipped.
///
/// # Panics
///
/// In CI, with that reason.
#[must_use]
pub fn python() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let install = root.join("conformance/install.sh");
    let reason = match Command::new(&install).output() {
        Ok(output) if output.status.success() => {
            let target = env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
            let target = target.unwrap_or_else(|| root.join("../target"));
            return Some(target.join("python/bin/python"));
        }
        Ok(output) => {
            format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim())
        }
        Err(error) => error.to_string(),
    };
    skip(&format!("tests/conformance/install.sh: {reason}"));
    None
}
