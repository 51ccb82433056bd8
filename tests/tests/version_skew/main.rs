//! D17: drivers, agents and state files of different versions, and binaries that are replaced while
//! jobs run.
//!
//! A debug build may claim another version (see `fargate_driver::version`): the claim is in the
//! file of the binary, and not in its environment.

mod agent_versions;
mod neighbour_versions;
mod replaced_binary;

use std::path::{Path, PathBuf};

use fargate_tests::{copy_program, runner};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The text before a claim in the file.
const MARK: &str = "\nfargate-runner claims: ";

/// A folder of binaries. It is not in a host's folder, which is searched for secrets.
struct BinaryFolder(TempDir);

impl BinaryFolder {
    fn new() -> Self {
        Self(tempfile::Builder::new().prefix("binaries-").tempdir().expect("a folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A copy of the tested binary with this claim, or an exact copy if there is none.
    fn make(&self, name: &str, claim: Option<&Value>) -> PathBuf {
        let path = self.path(name);
        let claim = claim.map(|claim| format!("{MARK}{claim}")).unwrap_or_default();
        copy_program(&runner(), &path, &claim);
        path
    }
}

/// A new file with the same bytes and rights.
fn copy(from: &Path, to: &Path) {
    copy_program(from, to, "");
}

/// The version after this one: it writes a field more, and reads what the next one will write.
fn next() -> Value {
    json!({ "version": "0.2.0", "reads": 2, "adds": { "of_0_2": "kept" } })
}

/// The one after that.
fn after_next() -> Value {
    json!({ "version": "0.3.0", "reads": 2, "writes": 2, "adds": { "of_0_3": ["kept"] } })
}
