//! What stays of a job after its clean-up: how many tries it had, and a failure that the next try
//! would meet again.
//!
//! It holds no secret and no address.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, SystemTime};

use fargate_files as files;
use fargate_model::cause::CauseReport;
use fargate_model::id::TaskArn;
use serde::{Deserialize, Serialize};

use crate::StateError;
use crate::record::known;

/// Most tombstones that one sweep checks, so that a clean-up stays short.
const SWEEP_LIMIT: usize = 1000;

/// The file that replaces a record.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct JobTombstone {
    /// How many times the job was prepared.
    pub tries: u32,
    /// Why every further try would fail.
    #[serde(default, deserialize_with = "known")]
    pub failure: Option<CauseReport>,
    /// The job's id on its forge, for people. Versions from before this field wrote none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<String>,
    /// The task that was started last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskArn>,
    /// Fields of other versions. They are kept unchanged.
    #[serde(flatten)]
    pub others: BTreeMap<String, serde_json::Value>,
}

impl JobTombstone {
    /// Reads a tombstone. One that cannot be read counts as none, because it only saves time.
    #[must_use]
    pub fn read(path: &Path) -> Option<Self> {
        serde_json::from_slice(&files::read(path).ok()??).ok()
    }

    /// Writes it. The caller holds the job's lock.
    ///
    /// # Errors
    ///
    /// Returns [`StateError::Disk`] if the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), StateError> {
        let bytes = serde_json::to_vec(self).expect("a tombstone holds nothing that JSON cannot");
        Ok(files::write(path, &bytes)?)
    }
}

/// When the tombstone at `path` was written last.
#[must_use]
pub fn written(path: &Path) -> Option<SystemTime> {
    std::fs::symlink_metadata(path).ok()?.modified().ok()
}

/// Removes tombstones in `folder` that are older than `age`. If one cannot be removed, the next
/// clean-up tries again.
pub fn sweep(folder: &Path, age: Duration) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let old = |modified: SystemTime| modified.elapsed().is_ok_and(|elapsed| elapsed > age);
    for entry in entries.flatten().take(SWEEP_LIMIT) {
        let modified = entry.metadata().and_then(|metadata| metadata.modified());
        if modified.is_ok_and(old) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_another_version_keeps_its_tries_and_its_fields() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("job.json");
        let other = r#"{"tries": 2, "failure": {"cause": "cause-of-tomorrow"}, "warm": "yes"}"#;
        std::fs::write(&path, other).unwrap();
        let tombstone = JobTombstone::read(&path).unwrap();
        assert_eq!((tombstone.tries, &tombstone.failure), (2, &None));
        tombstone.write(&path).unwrap();
        assert!(std::fs::read_to_string(&path).unwrap().contains(r#""warm":"yes""#));
    }
}
