//! D17: drivers, agents and state files of different versions, and binaries that are put in each
//! other's place under running jobs.
//!
//! A debug build may claim to be another version, see `fargate_driver::version`: the other version is
//! a file of its own, not a mood of the environment.

mod agent_versions;
mod neighbour_versions;
mod replaced_binary;

use std::path::{Path, PathBuf};
use std::process::Command;

use fargate_tests::runner;
use serde_json::{Value, json};
use tempfile::TempDir;

/// What stands before a claim.
const MARK: &str = "\nfargate-runner claims: ";

/// Binaries beside each other, outside of what a site looks through for secrets.
struct BinaryFolder(TempDir);

impl BinaryFolder {
    fn new() -> Self {
        Self(tempfile::Builder::new().prefix("binaries-").tempdir().expect("a folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A copy of the binary that is tested, which claims this; as it is without a claim.
    fn make(&self, name: &str, claim: Option<&Value>) -> PathBuf {
        let path = self.path(name);
        let claim = claim.map(|claim| format!("{MARK}{claim}")).unwrap_or_default();
        let script = "cp \"$1\" \"$2\" && printf %s \"$3\" >> \"$2\"";
        written(Command::new("sh").args(["-c", script, "sh"]).args([&runner(), &path]).arg(claim));
        path
    }
}

/// A new file with the same bytes and rights.
fn copy(from: &Path, to: &Path) {
    written(Command::new("cp").args([from, to]));
}

/// By a process of its own: what this one opens to write, a child that another test starts in the same
/// moment holds open for a while, and a binary that is open to be written cannot be run.
fn written(command: &mut Command) {
    assert!(command.status().expect("a program of every system").success(), "{command:?}");
}

/// The version after this one: it writes a field more, and reads what the next one will write.
fn next() -> Value {
    json!({ "version": "0.2.0", "reads": 2, "adds": { "of_0_2": "kept" } })
}

/// The one after that.
fn after_next() -> Value {
    json!({ "version": "0.3.0", "reads": 2, "writes": 2, "adds": { "of_0_3": ["kept"] } })
}
