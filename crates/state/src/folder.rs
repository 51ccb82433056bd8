//! The state folder of one host: the folders `jobs`, `locks` and `tombstones`, and the host's name.
//!
//! It reads, replaces and removes records. What a record holds, and whether a job needs it, is
//! known elsewhere.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use fargate_events::{JobEvent, emit};
use fargate_files as files;
use fargate_files::{FileError, FileLock, require_own_folder};
use fargate_model::id::TaskOwner;
use fargate_model::job::JobKey;
use fargate_model::random;

use crate::StateError;
use crate::record::{JobRecord, TaskLocation};
use crate::tombstone::{self, JobTombstone};

/// Longer than another process needs to test whether a `prepare` runs, by taking its lock.
const PROBE: Duration = Duration::from_millis(200);

/// The folders in it that hold keys and locks.
pub(crate) const PARTS: [&str; 3] = ["jobs", "locks", "tombstones"];

/// The state folder.
#[derive(Clone, Debug)]
pub struct StateFolder {
    root: PathBuf,
    lock_within: Duration,
}

/// The owner of this host's tasks, and whether the name is new.
#[derive(Clone, Debug)]
pub struct HostOwner {
    /// The name.
    pub owner: TaskOwner,
    /// Whether the folder had no name before. Then tasks of this host may have another one.
    pub is_new: bool,
}

impl StateFolder {
    /// Opens the folder, and creates what is missing with mode 0700. `lock_within` limits the wait
    /// for a lock.
    ///
    /// # Errors
    ///
    /// Returns [`StateError::Disk`] if something cannot be created, and [`StateError::Distrusted`]
    /// if other users can write to a folder in it.
    pub fn open(root: &Path, lock_within: Duration) -> Result<Self, StateError> {
        make_folder(root)?;
        for folder in PARTS.map(|part| root.join(part)) {
            // A link whose target is missing exists as well. It must not be reported as a full
            // disk.
            if folder.symlink_metadata().is_err() {
                make_folder(&folder)?;
            }
            require_own_folder(&folder)?;
        }
        Ok(Self::at(root, lock_within))
    }

    pub(crate) fn at(root: &Path, lock_within: Duration) -> Self {
        Self { root: root.to_owned(), lock_within }
    }

    /// Where it is.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn lock_within(&self) -> Duration {
        self.lock_within
    }

    /// The path of the job's record, if there is one.
    #[must_use]
    pub fn record_path(&self, key: &JobKey) -> PathBuf {
        self.root.join("jobs").join(format!("{key}.json"))
    }

    pub(crate) fn tombstones(&self) -> PathBuf {
        self.root.join("tombstones")
    }

    /// What is known of the location in a record that was `unread`. If a newer version wrote the record,
    /// that is everything; else it is what can still be read, or nothing.
    #[must_use]
    pub fn location_at_least(&self, key: &JobKey, unread: &StateError) -> TaskLocation {
        match unread {
            StateError::Newer { location, .. } => location.as_ref().clone(),
            _ => self.location_of_damaged(key),
        }
    }

    fn location_of_damaged(&self, key: &JobKey) -> TaskLocation {
        let bytes = files::read(&self.record_path(key)).ok().flatten().unwrap_or_default();
        let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let location = value.get("core").cloned().unwrap_or_default();
        serde_json::from_value(location).unwrap_or_default()
    }

    fn tombstone_path(&self, key: &JobKey) -> PathBuf {
        self.root.join("tombstones").join(format!("{key}.json"))
    }

    /// The owner's name: the configured one, else the one that this folder holds, else a new one.
    ///
    /// # Errors
    ///
    /// Returns [`StateError`] if the name cannot be read or written, or if the configured one is
    /// not valid.
    pub async fn owner(&self, configured: Option<&str>) -> Result<HostOwner, StateError> {
        self.kept_owner(configured).await.map_err(|error| match error {
            StateError::Damaged { path, what } => StateError::HostName { path, what },
            other => other,
        })
    }

    /// Whether the folder still holds this name, without giving it one. After its disk was unmounted or moved
    /// away, it holds none or another one.
    ///
    /// # Errors
    ///
    /// Returns [`StateError`] if the name cannot be read.
    pub fn holds_name(&self, name: &str) -> Result<bool, StateError> {
        let text = files::read(&self.root.join("owner"))?;
        Ok(text.is_some_and(|text| String::from_utf8_lossy(&text).trim() == name))
    }

    async fn kept_owner(&self, configured: Option<&str>) -> Result<HostOwner, StateError> {
        let path = self.root.join("owner");
        let damaged =
            |what: &str| StateError::Damaged { path: path.clone(), what: what.to_owned() };
        if let Some(configured) = configured {
            let owner = TaskOwner::try_from(configured.to_owned());
            let owner = owner.map_err(|error| damaged(&error.to_string()))?;
            return Ok(HostOwner { owner, is_new: false });
        }
        let mut is_new = false;
        let mut text = files::read(&path)?;
        if text.is_none() {
            is_new = self.keep_new_owner(&path).await?;
            text = files::read(&path)?;
        }
        let text = text.ok_or_else(|| damaged("it is gone"))?;
        let text = String::from_utf8_lossy(&text).trim().to_owned();
        let owner = TaskOwner::try_from(text).map_err(|error| damaged(&error.to_string()))?;
        Ok(HostOwner { owner, is_new })
    }

    /// If several processes start together, exactly one of their names is kept.
    async fn keep_new_owner(&self, path: &Path) -> Result<bool, StateError> {
        let _lock =
            FileLock::take(&self.root.join("locks").join("owner"), self.lock_within).await?;
        if files::read(path)?.is_some() {
            return Ok(false);
        }
        let bits = random::token().map_err(StateError::host("drawing random bytes"))?;
        self.learn_machine().await;
        files::write(path, format!("host-{bits}").as_bytes())?;
        Ok(true)
    }

    /// The lock that guards a job's files for the short time of a change.
    ///
    /// # Errors
    ///
    /// Returns [`StateError`] if the lock is held for too long or cannot be created.
    pub async fn lock(&self, key: &JobKey) -> Result<FileLock, StateError> {
        let path = self.root.join("locks").join(key.as_str());
        Ok(FileLock::take(&path, self.lock_within).await?)
    }

    /// The lock that a `prepare` holds from its beginning to its end.
    ///
    /// # Errors
    ///
    /// Returns [`StateError::Held`] after a short time if another `prepare` holds it.
    pub async fn lock_prepare(&self, key: &JobKey) -> Result<FileLock, StateError> {
        Ok(FileLock::take(&self.prepare_lock(key), PROBE).await?)
    }

    pub(crate) fn prepare_lock(&self, key: &JobKey) -> PathBuf {
        self.root.join("locks").join(format!("{key}.prepare"))
    }

    /// The job's record, if there is one.
    ///
    /// # Errors
    ///
    /// Returns [`StateError`] if the record cannot be read or must not be trusted.
    pub fn record(&self, key: &JobKey) -> Result<Option<JobRecord>, StateError> {
        JobRecord::read(&self.record_path(key))
    }

    /// The tombstone that an earlier clean-up of this job left.
    #[must_use]
    pub fn tombstone(&self, key: &JobKey) -> Option<JobTombstone> {
        JobTombstone::read(&self.tombstone_path(key))
    }

    /// When the job of this tombstone was cleaned up last.
    #[must_use]
    pub fn cleaned_up_at(&self, key: &JobKey) -> Option<SystemTime> {
        tombstone::written(&self.tombstone_path(key))
    }

    /// Writes the first record of a `prepare`. It replaces an older one.
    pub(crate) async fn put(&self, record: &JobRecord) -> Result<(), StateError> {
        let _lock = self.lock(&record.job).await?;
        self.remove_marks(&record.job);
        record.write(&self.record_path(&record.job))
    }

    /// Takes the job's record over. From now on, writes of the `prepare` that began it are refused,
    /// so it cannot start anything that this caller does not know.
    ///
    /// # Errors
    ///
    /// Returns [`StateError`] if the record cannot be read.
    pub async fn take_over(&self, key: &JobKey) -> Result<Option<JobRecord>, StateError> {
        let _lock = self.lock(key).await?;
        let path = self.record_path(key);
        let Some(record) = JobRecord::read(&path)? else { return Ok(None) };
        let prepared_by = random::token().map_err(StateError::host("drawing random bytes"))?;
        let taken = JobRecord { prepared_by, ready: false, ..record.clone() };
        match taken.write(&path) {
            Ok(()) => Ok(Some(taken)),
            // A full disk must not keep a task alive. The record that was read is still true, and
            // it is still the file on disk: `bury` must recognise it, or its keys would stay.
            Err(error) => {
                emit(JobEvent::StateNotWritten { message: error.to_string() });
                Ok(Some(JobRecord { ready: false, ..record }))
            }
        }
    }

    /// Replaces the record by a tombstone, unless another `prepare` has begun since `seen` was
    /// taken over. The record and its keys are removed even if the tombstone cannot be written.
    ///
    /// # Errors
    ///
    /// Returns [`StateError`] if the record cannot be removed or the tombstone cannot be written.
    pub async fn bury(&self, key: &JobKey, seen: Option<&JobRecord>) -> Result<(), StateError> {
        let _lock = self.lock(key).await?;
        let path = self.record_path(key);
        let now = JobRecord::read(&path);
        if let (Some(seen), Ok(Some(now))) = (seen, &now)
            && (now.prepared_by != seen.prepared_by
                || now.launches.iter().any(|launch| !seen.launches.contains(launch)))
        {
            return Ok(());
        }
        let failure = seen.and_then(|seen| seen.failure.clone());
        let last = now.as_ref().ok().and_then(Option::as_ref).or(seen);
        self.replace_by_tombstone(key, last, !matches!(now, Ok(None)), failure)
    }

    /// Does the same for the `prepare` that began the record, and for no other.
    pub(crate) async fn bury_own(
        &self,
        key: &JobKey,
        prepared_by: &fargate_model::id::RandomToken,
        failure: Option<fargate_model::cause::CauseReport>,
    ) -> Result<(), StateError> {
        let _lock = self.lock(key).await?;
        match JobRecord::read(&self.record_path(key))? {
            Some(record) if record.prepared_by == *prepared_by => {
                self.replace_by_tombstone(key, Some(&record), true, failure)
            }
            _ => Err(StateError::TakenOver),
        }
    }

    /// The caller holds the job's lock. The tombstone names the job and the task of `last`.
    fn replace_by_tombstone(
        &self,
        key: &JobKey,
        last: Option<&JobRecord>,
        was_there: bool,
        failure: Option<fargate_model::cause::CauseReport>,
    ) -> Result<(), StateError> {
        let mut tombstone = self.tombstone(key).unwrap_or_default();
        tombstone.tries += u32::from(was_there);
        tombstone.failure = failure.or(tombstone.failure);
        if let Some(last) = last {
            tombstone.job_id = Some(last.job_id.clone());
            tombstone.task = last.location.task.clone().or(tombstone.task);
        }
        let written = tombstone.write(&self.tombstone_path(key));
        self.remove_marks(key);
        files::remove(&self.record_path(key))?;
        written
    }

    /// Keeps a record whose tasks could not all be stopped, for the next clean-up or `prepare`. The
    /// key is removed, and so are the variables of launches whose task is known.
    ///
    /// # Errors
    ///
    /// Returns [`StateError`] if the record cannot be written.
    pub async fn keep_undone(&self, record: &JobRecord) -> Result<(), StateError> {
        let _lock = self.lock(&record.job).await?;
        let path = self.record_path(&record.job);
        let Some(mut now) = JobRecord::read(&path)? else { return Ok(()) };
        now.forget_secrets();
        now.write(&path)
    }

    /// Removes tombstones that are older than `age`. Also removes what killed processes of this job
    /// left: a half-written file, which may hold a key, and the lock of a `prepare`.
    pub async fn sweep(&self, key: &JobKey, age: Duration) {
        // The holder of the lock may be about to rename its own file.
        if let Ok(_lock) = self.lock(key).await {
            files::remove_beside(&self.record_path(key));
            files::remove_beside(&self.tombstone_path(key));
            if !self.record_path(key).exists() {
                self.remove_marks(key);
            }
        }
        tombstone::sweep(&self.root.join("tombstones"), age);
        // A lock that nobody holds removes its file when it is taken and dropped.
        drop(FileLock::take_now(&self.prepare_lock(key)));
    }

    fn remove_marks(&self, key: &JobKey) {
        self.remove_script_mark(key);
        self.remove_failure_mark(key);
    }

    pub(crate) async fn update(
        &self,
        key: &JobKey,
        prepared_by: &fargate_model::id::RandomToken,
        change: impl FnOnce(&mut JobRecord),
    ) -> Result<JobRecord, StateError> {
        self.update_if(key, prepared_by, |_| true, change).await
    }

    pub(crate) async fn update_if(
        &self,
        key: &JobKey,
        prepared_by: &fargate_model::id::RandomToken,
        may: impl FnOnce(&JobRecord) -> bool,
        change: impl FnOnce(&mut JobRecord),
    ) -> Result<JobRecord, StateError> {
        let _lock = self.lock(key).await?;
        let path = self.record_path(key);
        match JobRecord::read(&path)? {
            Some(mut record) if record.prepared_by == *prepared_by && may(&record) => {
                change(&mut record);
                record.write(&path)?;
                Ok(record)
            }
            _ => Err(StateError::TakenOver),
        }
    }
}

pub(crate) fn make_folder(folder: &Path) -> Result<(), StateError> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    Ok(made.map_err(FileError::disk("making the folder", folder))?)
}
