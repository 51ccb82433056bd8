//! What whoever looks after a host sees of its jobs, and how it ends one that nobody ends any more.
//!
//! It changes a record only if it is still the one that was judged: a `prepare` that began meanwhile
//! keeps what it wrote.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use fargate_files::require_own_folder;
use fargate_files::{FileError, FileLock};
use fargate_model::job::JobKey;
use fargate_model::random;

use crate::StateError;
use crate::folder::{PARTS, StateFolder};
use crate::record::JobRecord;

/// What is known here of a job.
#[derive(Clone, Debug)]
pub enum JobState {
    /// Nothing: no job, or one whose files are lost.
    Nothing,
    /// It was cleaned up.
    Buried,
    /// A `prepare` works on it at this moment.
    Preparing,
    /// Its record; no `prepare` works on it.
    Record(Box<JobRecord>),
    /// Its record, which this version cannot read.
    Unreadable {
        /// Whether a newer one wrote it, and can.
        is_newer: bool,
    },
}

impl StateFolder {
    /// The folder as jobs have left it; nothing is made.
    ///
    /// # Errors
    ///
    /// [`StateError::Disk`] where it is not there or not complete, and [`StateError::Distrusted`] where
    /// it is not this user's own or others may take records away: what has none counts as needed by
    /// nobody.
    pub fn existing(root: &Path, lock_within: Duration) -> Result<Self, StateError> {
        for folder in PARTS.map(|part| root.join(part)) {
            require_own_folder(&folder)?;
        }
        Self::require_unshared(root)?;
        Ok(Self::at(root, lock_within))
    }

    /// The other user to whom the folder belongs, if it does. What this user made in it, that one's
    /// jobs could not use. Where nothing is made yet, it belongs to whoever owns the place for it;
    /// that is asked of root alone, because everybody else makes only what the rights allow.
    #[must_use]
    pub fn owned_by_another(root: &Path) -> Option<nix::unistd::Uid> {
        let this = nix::unistd::geteuid();
        let made = PARTS.map(|part| root.join(part));
        let made: Vec<u32> = made
            .iter()
            .filter_map(|path| Some(std::fs::symlink_metadata(path).ok()?.uid()))
            .collect();
        let owners = match made.is_empty() {
            true if this.is_root() => root
                .ancestors()
                .find_map(|path| Some(std::fs::metadata(path).ok()?.uid()))
                .into_iter()
                .collect(),
            _ => made,
        };
        owners.into_iter().map(nix::unistd::Uid::from_raw).find(|owner| *owner != this)
    }

    /// The keys of all jobs that have a record.
    ///
    /// # Errors
    ///
    /// [`StateError::Disk`].
    pub fn keys(&self) -> Result<Vec<JobKey>, StateError> {
        self.names("jobs", ".json")
    }

    /// The keys of all jobs that a `prepare` works on at this moment.
    ///
    /// # Errors
    ///
    /// [`StateError::Disk`].
    pub fn preparing(&self) -> Result<Vec<JobKey>, StateError> {
        let mut keys = self.names("locks", ".prepare")?;
        keys.retain(|key| self.is_preparing(key));
        Ok(keys)
    }

    /// What else lies there, such as half a file of a write that was cut off, is nobody's job.
    fn names(&self, below: &str, ending: &str) -> Result<Vec<JobKey>, StateError> {
        let folder = self.root().join(below);
        let entries =
            std::fs::read_dir(&folder).map_err(FileError::disk("reading the folder", &folder))?;
        let key = |name: &str| JobKey::try_from(name.strip_suffix(ending)?.to_owned()).ok();
        Ok(entries.flatten().filter_map(|entry| key(entry.file_name().to_str()?)).collect())
    }

    /// Whether a `prepare` of this job runs, or may: a lock that cannot be tried counts as held. It is
    /// held for a moment here, which [`StateFolder::lock_prepare`] waits out.
    fn is_preparing(&self, key: &JobKey) -> bool {
        let path = self.prepare_lock(key);
        path.exists() && FileLock::take_now(&path).is_err()
    }

    /// What is known of the job.
    #[must_use]
    pub fn known(&self, key: &JobKey) -> JobState {
        let first = self.look(key);
        let settled = match &first {
            JobState::Record(record) => record.ready,
            JobState::Nothing
            | JobState::Buried
            | JobState::Preparing
            | JobState::Unreadable { .. } => false,
        };
        if settled {
            return first;
        }
        if self.is_preparing(key) {
            return JobState::Preparing;
        }
        // A `prepare` that ended between the two looks has written its last word by now.
        self.look(key)
    }

    fn look(&self, key: &JobKey) -> JobState {
        match self.record(key) {
            Ok(Some(record)) => JobState::Record(Box::new(record)),
            Ok(None) if self.tombstone(key).is_some() => JobState::Buried,
            Ok(None) => JobState::Nothing,
            Err(error) => {
                JobState::Unreadable { is_newer: matches!(error, StateError::Newer { .. }) }
            }
        }
    }

    /// The lock of whoever stops orphans on this host.
    ///
    /// # Errors
    ///
    /// [`StateError::Held`] at once if somebody does.
    pub fn lock_reap(&self) -> Result<FileLock, StateError> {
        Ok(FileLock::take_now(&self.root().join("locks").join("reap"))?)
    }

    /// As [`StateFolder::take_over`], but only if the record is still as it was `seen`; `None` if not.
    ///
    /// # Errors
    ///
    /// [`StateError`].
    pub async fn take_over_seen(&self, seen: &JobRecord) -> Result<Option<JobRecord>, StateError> {
        let mine = random::token().map_err(StateError::host("drawing random bytes"))?;
        let unchanged = |now: &JobRecord| now.ready == seen.ready && now.launches == seen.launches;
        let taken = self
            .update_if(&seen.job, &seen.prepared_by, unchanged, |record| {
                record.prepared_by = mine;
                record.ready = false;
            })
            .await;
        match taken {
            Ok(record) => Ok(Some(record)),
            Err(StateError::TakenOver) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Puts a tombstone in the place of a record that [`StateFolder::take_over_seen`] gave.
    ///
    /// # Errors
    ///
    /// [`StateError::TakenOver`] if a `prepare` has begun since then.
    pub async fn bury_taken(&self, taken: &JobRecord) -> Result<(), StateError> {
        self.bury_own(&taken.job, &taken.prepared_by, taken.failure.clone()).await
    }

    /// Keeps such a record for the next attempt, without its secrets.
    ///
    /// # Errors
    ///
    /// [`StateError::TakenOver`] if a `prepare` has begun since then.
    pub async fn keep_taken(&self, taken: &JobRecord) -> Result<(), StateError> {
        self.update_if(&taken.job, &taken.prepared_by, |_| true, JobRecord::forget_secrets)
            .await
            .map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RecordWriter;
    use crate::examples::{empty_folder as folder, some_record as record};
    use fargate_model::id::RandomToken;

    #[test]
    fn a_folder_that_is_not_there_is_not_made() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("state");
        let error = StateFolder::existing(&path, Duration::ZERO).unwrap_err();
        assert!(
            matches!(error, StateError::Disk { source, .. } if source.kind() == std::io::ErrorKind::NotFound)
        );
        assert!(!path.exists());
        StateFolder::open(&path, Duration::ZERO).unwrap();
        StateFolder::existing(&path, Duration::ZERO).unwrap();
    }

    #[test]
    fn a_folder_that_this_user_made_is_nobody_elses() {
        let (root, _folder) = folder();
        assert_eq!(StateFolder::owned_by_another(root.path()), None);
        assert_eq!(StateFolder::owned_by_another(&root.path().join("not/made/yet")), None);
    }

    #[tokio::test]
    async fn a_job_is_known_by_its_lock_its_record_and_its_tombstone() {
        let (root, folder) = folder();
        let key = record().job;
        assert!(matches!(folder.known(&key), JobState::Nothing));
        let lock = folder.lock_prepare(&key).await.unwrap();
        assert!(matches!(folder.known(&key), JobState::Preparing));
        assert_eq!(folder.preparing().unwrap(), std::slice::from_ref(&key));
        RecordWriter::begin(&folder, JobRecord { ready: false, ..record() }).await.unwrap();
        assert!(matches!(folder.known(&key), JobState::Preparing));
        drop(lock);
        assert!(matches!(folder.known(&key), JobState::Record(_)));
        assert_eq!(folder.keys().unwrap(), std::slice::from_ref(&key));
        let path = root.path().join("jobs").join(format!("{key}.json"));
        std::fs::write(&path, "{").unwrap();
        assert!(matches!(folder.known(&key), JobState::Unreadable { .. }));
        folder.bury(&key, None).await.unwrap();
        assert!(matches!(folder.known(&key), JobState::Buried));
        assert!(folder.preparing().unwrap().is_empty() && folder.keys().unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_lock_that_cannot_be_tried_counts_as_held() {
        let (root, folder) = folder();
        let record = JobRecord { ready: false, ..record() };
        RecordWriter::begin(&folder, record.clone()).await.unwrap();
        let lock = root.path().join("locks").join(format!("{}.prepare", record.job));
        std::fs::create_dir(&lock).unwrap();
        assert!(matches!(folder.known(&record.job), JobState::Preparing));
        std::fs::remove_dir(&lock).unwrap();
        assert!(matches!(folder.known(&record.job), JobState::Record(_)));
    }

    #[test]
    fn whoever_looks_keeps_no_prepare_from_beginning() {
        let (_root, folder) = folder();
        let key = record().job;
        std::thread::scope(|scope| {
            let looking = scope.spawn(|| (0..2000).for_each(|_| drop(folder.known(&key))));
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
            runtime.unwrap().block_on(async {
                while !looking.is_finished() {
                    drop(folder.lock_prepare(&key).await.unwrap());
                }
            });
        });
    }

    #[tokio::test]
    async fn a_record_that_changed_since_it_was_seen_is_left_alone() {
        let (_root, folder) = folder();
        let seen = record();
        let key = seen.job.clone();
        let another = JobRecord {
            prepared_by: RandomToken::from_bits([8; 16]),
            launches: Vec::new(),
            ..record()
        };
        for changed in [another, JobRecord { ready: false, ..record() }] {
            RecordWriter::begin(&folder, changed.clone()).await.unwrap();
            assert!(folder.take_over_seen(&seen).await.unwrap().is_none());
            assert_eq!(folder.record(&key).unwrap().unwrap().prepared_by, changed.prepared_by);
        }
        RecordWriter::begin(&folder, seen.clone()).await.unwrap();
        let taken = folder.take_over_seen(&seen).await.unwrap().unwrap();
        // A `prepare` that begins now owns the record, although it has launched nothing yet.
        RecordWriter::begin(&folder, JobRecord { launches: Vec::new(), ..record() }).await.unwrap();
        assert!(matches!(folder.bury_taken(&taken).await, Err(StateError::TakenOver)));
        assert!(matches!(folder.keep_taken(&taken).await, Err(StateError::TakenOver)));
        assert!(folder.record(&key).unwrap().unwrap().client_key.expose().contains("canary"));
    }

    #[tokio::test]
    async fn what_is_kept_for_the_next_attempt_holds_no_secret() {
        let (root, folder) = folder();
        RecordWriter::begin(&folder, record()).await.unwrap();
        let taken = folder.take_over_seen(&record()).await.unwrap().unwrap();
        folder.keep_taken(&taken).await.unwrap();
        let path = root.path().join("jobs").join(format!("{}.json", taken.job));
        assert!(!std::fs::read_to_string(path).unwrap().contains("canary"));
        folder.bury_taken(&taken).await.unwrap();
        assert_eq!(folder.tombstone(&taken.job).unwrap().tries, 1);
    }
}
