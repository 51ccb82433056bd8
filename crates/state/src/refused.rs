//! Remembers which rights AWS refused this host, as empty files beside the tombstones.
//!
//! Otherwise each job would ask again, and each refusal may be an alarm in an audit. Nothing is
//! decided here. If a file is lost, that costs one more refusal.

use std::path::Path;
use std::time::Duration;

use fargate_events::{JobEvent, emit};

use fargate_files as files;
use sha2::{Digest, Sha256};

use crate::folder::StateFolder;

/// How long a refusal is remembered. After the right is granted, it has an effect after this time
/// at the latest.
const REMEMBERED: Duration = Duration::from_secs(3600);

impl StateFolder {
    /// Whether `right` was refused in this cluster and Region within that time.
    #[must_use]
    pub fn was_refused(&self, right: &str, region: &str, cluster: &str) -> bool {
        let path = self.tombstones().join(name(right, region, cluster));
        was_lately(&path)
    }

    /// Remembers that `right` was refused.
    pub fn remember_refusal(&self, right: &str, region: &str, cluster: &str) {
        let path = self.tombstones().join(name(right, region, cluster));
        if let Err(error) = files::write(&path, b"") {
            emit(JobEvent::RefusalNotKept { message: error.to_string() });
        }
    }
}

fn was_lately(path: &Path) -> bool {
    let modified = std::fs::symlink_metadata(path).and_then(|metadata| metadata.modified());
    // If the clock was set back, the file is from the future, and does not count either.
    modified.is_ok_and(|at| at.elapsed().is_ok_and(|since| since < REMEMBERED))
}

fn name(right: &str, region: &str, cluster: &str) -> String {
    let place = Sha256::digest(format!("{region} {cluster}"));
    format!("refused-{}-{}", right.replace(':', "-"), hex::encode(&place[..8]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_remembered_for_its_cluster_and_for_an_hour() {
        let root = tempfile::tempdir().unwrap();
        let folder = StateFolder::open(root.path(), Duration::from_secs(1)).unwrap();
        let right = "ecs:TagResource";
        assert!(!folder.was_refused(right, "r", "c"));
        folder.remember_refusal(right, "r", "c");
        assert!(folder.was_refused(right, "r", "c"));
        assert!(!folder.was_refused(right, "r", "other") && !folder.was_refused("x", "r", "c"));
        let file = root.path().join("tombstones").join(name(right, "r", "c"));
        let file = std::fs::File::options().write(true).open(file).unwrap();
        for away in [REMEMBERED, Duration::ZERO] {
            let now = std::time::SystemTime::now();
            let at = if away.is_zero() { now + REMEMBERED } else { now - away };
            file.set_modified(at).unwrap();
            assert!(!folder.was_refused(right, "r", "c"), "{away:?}");
        }
    }
}
