//! Whether this host takes new jobs. It is one small file: `pause` and `drain` write it, `resume`
//! removes it, and every `prepare` obeys it.
//!
//! If the file cannot be read, it counts as a pause: somebody wanted no new jobs, and only a person
//! may take that back. If another user may have written it, it holds nothing, and the operator's
//! log names it.
//!
//! Nothing here waits.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fargate_events::{JobEvent, emit};
use fargate_files as files;
use fargate_files::{FileError, FileLock};
use fargate_model::cause::{CauseReport, FailureCause};
use fargate_model::text::{escape_within, ticking};
use serde::{Deserialize, Serialize};

use crate::{StateError, StateFolder};

/// Longest name that is kept, in characters. The next constant limits the note.
const MAX_WHO: usize = 60;
const MAX_NOTE: usize = 200;

/// What the person wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobHoldKind {
    /// No new jobs for some time.
    Pause,
    /// No new jobs, so that the running ones can end and the host can be serviced.
    Drain,
}

/// A person's order that new jobs wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobHold {
    /// What is wanted.
    pub hold: JobHoldKind,
    /// Who wants it.
    pub who: String,
    /// Since when, in seconds since 1970.
    pub since_unix_s: u64,
    /// The person's reason. Empty if none was given.
    #[serde(default)]
    pub note: String,
}

/// What the file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobAdmission {
    /// There is no hold: new jobs are taken.
    Open,
    /// New jobs are held.
    Held(JobHold),
    /// The file exists, but cannot be read. New jobs are held as well.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
}

impl JobHold {
    /// A hold that begins now.
    #[must_use]
    pub fn now(hold: JobHoldKind, who: &str, note: &str) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let (who, note) = (escape_within(who, MAX_WHO), escape_within(note.trim(), MAX_NOTE));
        Self { hold, who, since_unix_s: since.as_secs(), note }
    }

    /// How long it has lasted, in whole seconds. `None` if the clock was set back.
    #[must_use]
    pub fn age(&self) -> Duration {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Duration::from_secs(now.as_secs().saturating_sub(self.since_unix_s))
    }

    /// Escapes all texts: somebody else may have written the file.
    fn made_harmless(self) -> Self {
        let (who, note) = (escape_within(&self.who, MAX_WHO), escape_within(&self.note, MAX_NOTE));
        Self { who, note, ..self }
    }
}

impl JobAdmission {
    /// The cause for a person. `None` if jobs are taken.
    #[must_use]
    pub fn why(&self) -> Option<CauseReport> {
        match self {
            Self::Open => None,
            Self::Held(held) => {
                let cause = match held.hold {
                    JobHoldKind::Pause => FailureCause::Paused,
                    JobHoldKind::Drain => FailureCause::Draining,
                };
                let note = match held.note.as_str() {
                    "" => "without a note".to_owned(),
                    note => format!("with the note \"{note}\""),
                };
                let age = ticking(held.age());
                Some(CauseReport::new(cause).with("who", &held.who).because(format!(
                    "Held by {} for {age}, {note}; running jobs go on.",
                    held.who
                )))
            }
            Self::Unreadable { path, what } => Some(
                CauseReport::new(FailureCause::Paused)
                    .with("path", path.display().to_string())
                    .quoting(&path.display().to_string(), what)
                    .because("It counts as a pause; `fargate-runner resume` removes it."),
            ),
        }
    }
}

impl StateFolder {
    fn intake_path(&self) -> PathBuf {
        self.root().join("paused")
    }

    /// What the file says now.
    #[must_use]
    pub fn intake(&self) -> JobAdmission {
        let path = self.intake_path();
        let bytes = match files::read(&path) {
            Ok(None) => return JobAdmission::Open,
            Ok(Some(bytes)) => bytes,
            // Only the user who looks after this host decides whether it takes jobs.
            Err(error @ FileError::Distrusted { .. }) => {
                emit(JobEvent::StateDistrusted { message: error.to_string() });
                return JobAdmission::Open;
            }
            Err(FileError::Damaged { what, .. }) => {
                return JobAdmission::Unreadable { path, what };
            }
            Err(error) => return JobAdmission::Unreadable { path, what: error.to_string() },
        };
        match serde_json::from_slice::<JobHold>(&bytes) {
            Ok(held) => JobAdmission::Held(held.made_harmless()),
            Err(_) => {
                JobAdmission::Unreadable { path, what: "it is not as it was written".to_owned() }
            }
        }
    }

    async fn lock_intake(&self) -> Result<FileLock, StateError> {
        let path = self.root().join("locks").join("paused");
        Ok(FileLock::take(&path, self.lock_within()).await?)
    }

    /// Holds new jobs. Returns what was there before.
    ///
    /// A drain does not become a pause. A hold that exists stays as it is, unless a new note is
    /// given.
    ///
    /// # Errors
    ///
    /// Returns [`StateError`] if the file cannot be read or written.
    pub async fn hold(&self, wanted: JobHold) -> Result<JobAdmission, StateError> {
        let _lock = self.lock_intake().await?;
        let before = self.intake();
        let next = match &before {
            JobAdmission::Open | JobAdmission::Unreadable { .. } => wanted,
            JobAdmission::Held(held) => {
                let hold =
                    if held.hold == JobHoldKind::Drain { JobHoldKind::Drain } else { wanted.hold };
                let next = if wanted.note.is_empty() { held.clone() } else { wanted };
                JobHold { hold, ..next }
            }
        };
        if before != JobAdmission::Held(next.clone()) {
            let bytes = serde_json::to_vec(&next).expect("a hold holds nothing that JSON cannot");
            files::write(&self.intake_path(), &bytes)?;
        }
        Ok(before)
    }

    /// Takes new jobs again. Returns what was there before.
    ///
    /// # Errors
    ///
    /// Returns [`StateError`] if the file cannot be removed.
    pub async fn release_hold(&self) -> Result<JobAdmission, StateError> {
        let _lock = self.lock_intake().await?;
        let before = self.intake();
        if before != JobAdmission::Open {
            files::remove(&self.intake_path())?;
        }
        Ok(before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::empty_folder as folder;

    fn held(folder: &StateFolder) -> JobHold {
        let JobAdmission::Held(held) = folder.intake() else { panic!("not held") };
        held
    }

    #[tokio::test]
    async fn a_hold_stays_until_it_is_released_and_a_drain_is_not_weakened() {
        let (_root, folder) = folder();
        assert_eq!(folder.intake(), JobAdmission::Open);
        assert_eq!(
            folder.hold(JobHold::now(JobHoldKind::Pause, "anna", "disk")).await.unwrap(),
            JobAdmission::Open
        );
        folder.hold(JobHold::now(JobHoldKind::Drain, "ben", "")).await.unwrap();
        let now = held(&folder);
        assert_eq!((now.hold, &*now.who, &*now.note), (JobHoldKind::Drain, "anna", "disk"));
        folder.hold(JobHold::now(JobHoldKind::Pause, "ben", "kernel")).await.unwrap();
        let now = held(&folder);
        assert_eq!((now.hold, &*now.who, &*now.note), (JobHoldKind::Drain, "ben", "kernel"));
        assert_eq!(folder.release_hold().await.unwrap(), JobAdmission::Held(now));
        assert_eq!(folder.release_hold().await.unwrap(), JobAdmission::Open);
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_a_pause_and_no_link_is_followed() {
        let (root, folder) = folder();
        let (path, elsewhere) = (root.path().join("paused"), root.path().join("elsewhere"));
        std::fs::write(&elsewhere, "keep").unwrap();
        let put: [fn(&std::path::Path, &std::path::Path); 4] = [
            |path, _| std::fs::write(path, "").unwrap(),
            |path, _| std::fs::write(path, "{\"hold\": \"pau").unwrap(),
            |path, elsewhere| std::os::unix::fs::symlink(elsewhere, path).unwrap(),
            |path, _| std::fs::create_dir(path).unwrap(),
        ];
        for put in put {
            put(&path, &elsewhere);
            assert!(matches!(folder.intake(), JobAdmission::Unreadable { .. }));
            assert_eq!(folder.intake().why().unwrap().cause, FailureCause::Paused);
            folder.release_hold().await.unwrap();
            assert_eq!(folder.intake(), JobAdmission::Open);
        }
        assert_eq!(std::fs::read_to_string(elsewhere).unwrap(), "keep");
    }

    #[tokio::test]
    async fn a_name_or_note_can_move_no_cursor() {
        let (root, folder) = folder();
        folder.hold(JobHold::now(JobHoldKind::Pause, "a\x1b[2J", &"x".repeat(900))).await.unwrap();
        assert_eq!(held(&folder).who, "a\\x1b[2J");
        assert_eq!(held(&folder).note.chars().count(), MAX_NOTE);
        let text = r#"{"hold":"pause","who":"\u001b[2J","since_unix_s":1}"#;
        std::fs::write(root.path().join("paused"), text).unwrap();
        assert_eq!(held(&folder).who, "\\x1b[2J");
    }
}
