//! Files that a test changes while processes of the product read or run them.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

pub use fargate_playground::files::write_whole;

/// Replaces the one occurrence of `old` in the file `path`, whose mode stays.
///
/// # Panics
///
/// If there is not exactly one.
pub fn replace_in(path: &Path, old: &str, new: &str) {
    let text = fs::read_to_string(path).expect("a text file");
    assert_eq!(text.matches(old).count(), 1, "{old:?} in {}", path.display());
    let mode = fs::metadata(path).expect("a file").permissions().mode();
    write_whole(path, text.replace(old, new)).expect("a writable folder");
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("a file of ours");
}

/// Writes `text` to the new program `path`, which may be run at once.
///
/// A child process writes it. If this process did, a child that another test starts at the same moment
/// could inherit the open file, and the system runs no program that is open for writing.
///
/// # Panics
///
/// If it cannot be written.
pub fn write_program(path: &Path, text: &str) {
    let mut command = Command::new("sh");
    command.args(["-c", "cat >\"$1\" && chmod 755 \"$1\"", "sh"]).arg(path).stdin(Stdio::piped());
    let mut child = command.spawn().expect("a shell");
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(text.as_bytes()).expect("a shell that reads");
    drop(input);
    assert!(child.wait().expect("a child of ours").success(), "writing {}", path.display());
}

/// Copies the program `from` to `to`, which may be run at once, and adds `text` at its end. A child
/// process does it, as in [`write_program`].
///
/// # Panics
///
/// If it cannot be copied.
pub fn copy_program(from: &Path, to: &Path, text: &str) {
    let script = "cp \"$1\" \"$2\" && printf %s \"$3\" >>\"$2\"";
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh"]).args([from, to]).arg(text);
    assert!(command.status().expect("a shell").success(), "copying to {}", to.display());
}
