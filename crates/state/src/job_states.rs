//! The jobs of a host as a reaper or a person sees them, and how the record of a job is ended that
//! nobody will end.
//!
//! It changes a record only if it is still the one that was judged. A `prepare` that began in
//! between keeps its record. It does not judge itself.

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

/// What this host knows of a job.
#[derive(Clone, Debug)]
pub enum RecordState {
    /// Nothing: there is no such job, or its files are lost.
    Nothing,
    /// The job was cleaned up.
    Buried,
    /// A `prepare` of the job is running.
    Preparing,
    /// Its record. No `prepare` of the job is running.
    Record(Box<JobRecord>),
    /// It has a record that this version cannot read.
    Unreadable {
        /// Whether a newer version wrote it, and can read it.
        is_newer: bool,
    },
}

impl StateFolder {
    /// Opens the folder as jobs left it. Nothing is created.
    ///
    /// # Errors
    ///
    /// Returns [`StateError::Disk`] if the folder or a part of it does not exist, and
    /// [`StateError::Distrusted`] if another user owns it or may remove records: a task without a
    /// record looks like one that no job needs.
    pub fn existing(root: &Path, lock_within: Duration) -> Result<Self, StateError> {
        for folder in PARTS.map(|part| root.join(part)) {
            require_own_folder(&folder)?;
        }
        Self::require_unshared(root)?;
        Ok(Self::at(root, lock_within))
    }

    /// The other user who owns the folder, if there is one. Jobs of that user could not use what
    /// this user creates in it.
    ///
    /// If the folder does not exist yet, it belongs to the owner of its place. This matters only
    /// for root, because other users can create only what their rights allow.
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
    /// Returns [`StateError::Disk`] if the folder cannot be read.
    pub fn keys(&self) -> Result<Vec<JobKey>, StateError> {
        self.names("jobs", ".json")
    }

    /// The keys of all jobs that were cleaned up and are still remembered.
    ///
    /// # Errors
    ///
    /// Returns [`StateError::Disk`] if the folder cannot be read.
    pub fn buried(&self) -> Result<Vec<JobKey>, StateError> {
        self.names("tombstones", ".json")
    }

    /// The keys of all jobs of which a `prepare` is running.
    ///
    /// # Errors
    ///
    /// Returns [`StateError::Disk`] if the folder cannot be read.
    pub fn preparing(&self) -> Result<Vec<JobKey>, StateError> {
        let mut keys = self.names("locks", ".prepare")?;
        keys.retain(|key| self.is_preparing(key));
        Ok(keys)
    }

    /// Other files, for example a half-written one, belong to no job.
    fn names(&self, below: &str, ending: &str) -> Result<Vec<JobKey>, StateError> {
        let folder = self.root().join(below);
        let entries =
            std::fs::read_dir(&folder).map_err(FileError::disk("reading the folder", &folder))?;
        let key = |name: &str| JobKey::try_from(name.strip_suffix(ending)?.to_owned()).ok();
        Ok(entries.flatten().filter_map(|entry| key(entry.file_name().to_str()?)).collect())
    }

    /// Whether a `prepare` of this job is running, or may be: a lock that cannot be tried counts as
    /// held. This holds the lock for a moment, and [`StateFolder::lock_prepare`] waits longer than
    /// that.
    fn is_preparing(&self, key: &JobKey) -> bool {
        let path = self.prepare_lock(key);
        path.exists() && FileLock::take_now(&path).is_err()
    }

    /// What is known of the job.
    #[must_use]
    pub fn known(&self, key: &JobKey) -> RecordState {
        let first = self.look(key);
        let settled = match &first {
            RecordState::Record(record) => record.ready,
            RecordState::Nothing
            | RecordState::Buried
            | RecordState::Preparing
            | RecordState::Unreadable { .. } => false,
        };
        if settled {
            return first;
        }
        if self.is_preparing(key) {
            return RecordState::Preparing;
        }
        // A `prepare` that ended between the two looks has finished its record by now.
        self.look(key)
    }

    fn look(&self, key: &JobKey) -> RecordState {
        match self.record(key) {
            Ok(Some(record)) => RecordState::Record(Box::new(record)),
            Ok(None) if self.tombstone(key).is_some() => RecordState::Buried,
            Ok(None) => RecordState::Nothing,
            Err(error) => {
                RecordState::Unreadable { is_newer: matches!(error, StateError::Newer { .. }) }
            }
        }
    }

    /// The lock of the process that stops orphans on this host.
    ///
    /// # Errors
    ///
    /// Returns [`StateError::Held`] at once if another process holds it.
    pub fn lock_reap(&self) -> Result<FileLock, StateError> {
        Ok(FileLock::take_now(&self.root().join("locks").join("reap"))?)
    }

    /// Takes the record over as [`StateFolder::take_over`] does, but only if it is still as it was
    /// `seen`; else returns `None`.
    ///
    /// # Errors
    ///
    /// Returns [`StateError`] if the record cannot be read or written.
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

    /// Replaces a record that [`StateFolder::take_over_seen`] returned by a tombstone.
    ///
    /// # Errors
    ///
    /// Returns [`StateError::TakenOver`] if a `prepare` has begun since then.
    pub async fn bury_taken(&self, taken: &JobRecord) -> Result<(), StateError> {
        self.bury_own(&taken.job, &taken.prepared_by, taken.failure.clone()).await
    }

    /// Keeps such a record for the next sweep, without its secrets.
    ///
    /// # Errors
    ///
    /// Returns [`StateError::TakenOver`] if a `prepare` has begun since then.
    pub async fn keep_taken(&self, taken: &JobRecord) -> Result<(), StateError> {
        self.update_if(&taken.job, &taken.prepared_by, |_| true, JobRecord::forget_secrets)
            .await
            .map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::JobRecordWriter;
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
        assert!(matches!(folder.known(&key), RecordState::Nothing));
        let lock = folder.lock_prepare(&key).await.unwrap();
        assert!(matches!(folder.known(&key), RecordState::Preparing));
        assert_eq!(folder.preparing().unwrap(), std::slice::from_ref(&key));
        JobRecordWriter::begin(&folder, JobRecord { ready: false, ..record() }).await.unwrap();
        assert!(matches!(folder.known(&key), RecordState::Preparing));
        drop(lock);
        assert!(matches!(folder.known(&key), RecordState::Record(_)));
        assert_eq!(folder.keys().unwrap(), std::slice::from_ref(&key));
        let path = root.path().join("jobs").join(format!("{key}.json"));
        std::fs::write(&path, "{").unwrap();
        assert!(matches!(folder.known(&key), RecordState::Unreadable { .. }));
        folder.bury(&key, None).await.unwrap();
        assert!(matches!(folder.known(&key), RecordState::Buried));
        assert!(folder.preparing().unwrap().is_empty() && folder.keys().unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_lock_that_cannot_be_tried_counts_as_held() {
        let (root, folder) = folder();
        let record = JobRecord { ready: false, ..record() };
        JobRecordWriter::begin(&folder, record.clone()).await.unwrap();
        let lock = root.path().join("locks").join(format!("{}.prepare", record.job));
        std::fs::create_dir(&lock).unwrap();
        assert!(matches!(folder.known(&record.job), RecordState::Preparing));
        std::fs::remove_dir(&lock).unwrap();
        assert!(matches!(folder.known(&record.job), RecordState::Record(_)));
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
            JobRecordWriter::begin(&folder, changed.clone()).await.unwrap();
            assert!(folder.take_over_seen(&seen).await.unwrap().is_none());
            assert_eq!(folder.record(&key).unwrap().unwrap().prepared_by, changed.prepared_by);
        }
        JobRecordWriter::begin(&folder, seen.clone()).await.unwrap();
        let taken = folder.take_over_seen(&seen).await.unwrap().unwrap();
        // A `prepare` that begins now owns the record, although it has not launched anything.
        JobRecordWriter::begin(&folder, JobRecord { launches: Vec::new(), ..record() })
            .await
            .unwrap();
        assert!(matches!(folder.bury_taken(&taken).await, Err(StateError::TakenOver)));
        assert!(matches!(folder.keep_taken(&taken).await, Err(StateError::TakenOver)));
        assert!(folder.record(&key).unwrap().unwrap().client_key.expose().contains("canary"));
    }

    #[tokio::test]
    async fn what_is_kept_for_the_next_attempt_holds_no_secret() {
        let (root, folder) = folder();
        JobRecordWriter::begin(&folder, record()).await.unwrap();
        let taken = folder.take_over_seen(&record()).await.unwrap().unwrap();
        folder.keep_taken(&taken).await.unwrap();
        let path = root.path().join("jobs").join(format!("{}.json", taken.job));
        assert!(!std::fs::read_to_string(path).unwrap().contains("canary"));
        folder.bury_taken(&taken).await.unwrap();
        assert_eq!(folder.tombstone(&taken.job).unwrap().tries, 1);
    }
}
