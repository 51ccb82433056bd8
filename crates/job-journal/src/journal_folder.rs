//! The folder of all journals of a host: `journals` in the state folder, one file per job.
//!
//! It reads no journal and knows no record: whoever sweeps says which jobs still live.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use fargate_files::{FileError, require_own_file, require_own_folder};
use fargate_model::job::JobKey;
use nix::fcntl::OFlag;

/// The folder's name in the state folder.
pub const JOURNALS: &str = "journals";
/// The end of a journal's name.
const SUFFIX: &str = ".journal";
/// The file that says that a daemon of this host keeps the history of these journals.
const INGEST_MARK: &str = "ingest";
/// A daemon that was silent for so long keeps no history any more. Ours.
const INGEST_SILENCE: Duration = Duration::from_secs(7 * 24 * 3600);
/// Most journals that one sweep looks at, so that a clean-up stays short. Ours.
const SWEEP_LIMIT: usize = 1000;

/// The journals of one host.
#[derive(Clone, Debug)]
pub struct JournalFolder {
    root: PathBuf,
}

impl JournalFolder {
    /// The journals of this state folder. Nothing is created or checked.
    #[must_use]
    pub fn of(state_dir: &Path) -> Self {
        Self { root: state_dir.join(JOURNALS) }
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// The file of this job.
    #[must_use]
    pub fn journal(&self, key: &JobKey) -> PathBuf {
        self.root.join(format!("{key}{SUFFIX}"))
    }

    /// Creates the folder with mode 0700 if it is missing.
    ///
    /// # Errors
    ///
    /// [`FileError::Disk`] if that fails, [`FileError::Distrusted`] if others may write to it.
    pub fn make(&self) -> Result<(), FileError> {
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.root);
        made.map_err(FileError::disk("making the folder", &self.root))?;
        require_own_folder(&self.root)
    }

    /// The jobs that have a journal, in no order. Without a folder there are none.
    ///
    /// # Errors
    ///
    /// [`FileError`] if the folder cannot be read, or others may write to it.
    pub fn keys(&self) -> Result<Vec<JobKey>, FileError> {
        let read = match std::fs::read_dir(&self.root) {
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(FileError::disk("reading the folder", &self.root)(error)),
        };
        require_own_folder(&self.root)?;
        let names = read.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        Ok(names.filter_map(|name| key_of(&name)).collect())
    }

    /// Opens the journal of a job for appending, and creates it with mode 0600.
    pub(crate) fn open_to_append(&self, key: &JobKey) -> Result<File, FileError> {
        self.make()?;
        let path = self.journal(key);
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true).mode(0o600);
        open_own(&path, &mut options)
    }

    /// Opens the journal of a job for reading; `None` if there is none.
    pub(crate) fn open_to_read(&self, key: &JobKey) -> Result<Option<File>, FileError> {
        let path = self.journal(key);
        match open_own(&path, OpenOptions::new().read(true)) {
            Err(FileError::Disk { source, .. })
                if source.kind() == std::io::ErrorKind::NotFound =>
            {
                Ok(None)
            }
            opened => opened.map(Some),
        }
    }

    /// Notes that a daemon of this host reads these journals: for a week, [`JournalFolder::sweep`] leaves
    /// them to it. The daemon notes it again each day at least, and removes what it has read.
    ///
    /// # Errors
    ///
    /// [`FileError`] if that cannot be written down.
    pub fn note_ingest(&self) -> Result<(), FileError> {
        self.make()?;
        fargate_files::write(&self.root.join(INGEST_MARK), b"")
    }

    /// Whether a daemon of this host reads these journals.
    #[must_use]
    pub fn is_ingested(&self, now: SystemTime) -> bool {
        age_of(&self.root.join(INGEST_MARK), now).is_some_and(|age| age < INGEST_SILENCE)
    }

    /// Removes journals that nothing was added to for `age`, unless their job lives or a daemon still has
    /// to read them. Returns how many are gone.
    pub fn sweep(&self, age: Duration, now: SystemTime, lives: impl Fn(&JobKey) -> bool) -> usize {
        if self.is_ingested(now) {
            return 0;
        }
        let keys = self.keys().unwrap_or_default();
        let is_old = |key: &JobKey| age_of(&self.journal(key), now).is_some_and(|old| old > age);
        let old = keys.into_iter().take(SWEEP_LIMIT).filter(|key| is_old(key) && !lives(key));
        old.filter(|key| self.remove(key).is_ok()).count()
    }

    /// Removes the journal of a job. Whoever ingests does so once it has read all of it, the job is over,
    /// and its tombstone is gone.
    ///
    /// # Errors
    ///
    /// [`FileError::Disk`].
    pub fn remove(&self, key: &JobKey) -> Result<(), FileError> {
        fargate_files::remove(&self.journal(key))
    }
}

fn key_of(name: &str) -> Option<JobKey> {
    JobKey::try_from(name.strip_suffix(SUFFIX)?.to_owned()).ok()
}

/// A file with a time in the future counts as new.
fn age_of(path: &Path, now: SystemTime) -> Option<Duration> {
    let written = std::fs::symlink_metadata(path).ok()?.modified().ok()?;
    Some(now.duration_since(written).unwrap_or_default())
}

/// Opens a regular file that only this user or root may have written, without waiting and without
/// following a link.
fn open_own(path: &Path, options: &mut OpenOptions) -> Result<File, FileError> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let opened = options.custom_flags(flags.bits()).open(path);
    let file = opened.map_err(FileError::disk("opening", path))?;
    let metadata = file.metadata().map_err(FileError::disk("reading", path))?;
    if !metadata.is_file() {
        let what = "it is not a regular file".to_owned();
        return Err(FileError::Damaged { path: path.to_owned(), what });
    }
    require_own_file(path, &metadata)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn key(byte: u8) -> JobKey {
        JobKey::from_bits([byte; 32])
    }

    #[test]
    fn journals_stay_until_they_are_old_their_job_is_over_and_no_daemon_needs_them() {
        let state = tempfile::tempdir().unwrap();
        let folder = JournalFolder::of(state.path());
        assert_eq!(folder.keys().unwrap(), []);
        for byte in [1, 2] {
            folder.open_to_append(&key(byte)).unwrap();
        }
        std::fs::write(folder.path().join("notes.txt"), "").unwrap();
        let now = SystemTime::now();
        let lives = |one: &JobKey| *one == key(1);
        assert_eq!(folder.sweep(DAY, now, lives), 0);
        let later = now + DAY + Duration::from_secs(60);
        folder.note_ingest().unwrap();
        assert_eq!(folder.sweep(DAY, later, lives), 0);
        std::fs::remove_file(folder.path().join(INGEST_MARK)).unwrap();
        assert_eq!(folder.sweep(DAY, later, lives), 1);
        assert_eq!(folder.keys().unwrap(), [key(1)]);
    }

    #[test]
    fn a_daemon_that_was_silent_for_a_week_keeps_no_journal() {
        let state = tempfile::tempdir().unwrap();
        let folder = JournalFolder::of(state.path());
        folder.note_ingest().unwrap();
        assert!(folder.is_ingested(SystemTime::now() + 6 * DAY));
        assert!(!folder.is_ingested(SystemTime::now() + 8 * DAY));
    }

    #[test]
    fn a_link_in_the_place_of_a_journal_is_not_followed() {
        let state = tempfile::tempdir().unwrap();
        let folder = JournalFolder::of(state.path());
        folder.make().unwrap();
        let victim = state.path().join("victim");
        std::fs::write(&victim, "").unwrap();
        std::os::unix::fs::symlink(&victim, folder.journal(&key(3))).unwrap();
        assert!(folder.open_to_append(&key(3)).is_err());
    }
}
