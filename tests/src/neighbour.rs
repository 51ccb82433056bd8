//! Programs that others wrote and that a machine may lack.

use std::env;

/// True if `program` is on PATH. If it is not, prints `SKIPPED`. In CI (the variable `CI` is set) nothing is
/// skipped.
///
/// # Panics
///
/// In CI, if the program is missing.
#[must_use]
pub fn have(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let there = env::split_paths(&path).any(|folder| folder.join(program).is_file());
    if !there {
        skip(&format!("{program} is not installed; tests/neighbours.sh installs it"));
    }
    there
}

/// Prints why a check is skipped here.
///
/// # Panics
///
/// In CI, with that reason.
pub fn skip(reason: &str) {
    assert!(env::var_os("CI").is_none(), "nothing is skipped in CI: {reason}");
    println!("SKIPPED: {reason}");
}
