//! Whether this host takes new jobs: one small file that `pause` and `drain` write, `resume` removes
//! and every `prepare` obeys, with or without anything else running.
//!
//! What cannot be read counts as a pause: somebody wanted no new jobs, and only a person may take that
//! back. What another user may have written holds nothing: the operator's log names it.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fargate_model::text::{escape_within, ticking};
use fargate_model::why::{Cause, Why};
use serde::{Deserialize, Serialize};

use super::{Folder, Lock, StateError, atomic};

/// Longest name and longest note that are kept, in characters.
const MAX_WHO: usize = 60;
const MAX_NOTE: usize = 200;

/// What is wanted of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hold {
    /// No new jobs for a while.
    Pause,
    /// No new jobs, so that those that run can end and the host be worked on.
    Drain,
}

/// A hold on new jobs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// What is wanted.
    pub hold: Hold,
    /// Who wants it.
    pub who: String,
    /// Since when, in seconds since 1970.
    pub since_unix_s: u64,
    /// Why, in that person's words; empty where none were given.
    #[serde(default)]
    pub note: String,
}

/// What the file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Intake {
    /// There is none: new jobs are taken.
    Open,
    /// They are held.
    Held(Held),
    /// There is one that cannot be read, so they are held too.
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
}

impl Held {
    /// One that begins now.
    #[must_use]
    pub fn now(hold: Hold, who: &str, note: &str) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let (who, note) = (escape_within(who, MAX_WHO), escape_within(note.trim(), MAX_NOTE));
        Self { hold, who, since_unix_s: since.as_secs(), note }
    }

    /// For how many whole seconds; none where the clock was set back.
    #[must_use]
    pub fn age(&self) -> Duration {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Duration::from_secs(now.as_secs().saturating_sub(self.since_unix_s))
    }

    /// What was not written by this program may hold anything.
    fn made_harmless(self) -> Self {
        let (who, note) = (escape_within(&self.who, MAX_WHO), escape_within(&self.note, MAX_NOTE));
        Self { who, note, ..self }
    }
}

impl Intake {
    /// The catalogue's words for it; none where jobs are taken.
    #[must_use]
    pub fn why(&self) -> Option<Why> {
        match self {
            Self::Open => None,
            Self::Held(held) => {
                let cause = match held.hold {
                    Hold::Pause => Cause::Paused,
                    Hold::Drain => Cause::Draining,
                };
                let note = match held.note.as_str() {
                    "" => "without a note".to_owned(),
                    note => format!("with the note \"{note}\""),
                };
                let age = ticking(held.age());
                Some(Why::new(cause).with("who", &held.who).because(format!(
                    "Held by {} for {age}, {note}; running jobs go on.",
                    held.who
                )))
            }
            Self::Unreadable { path, what } => Some(
                Why::new(Cause::Paused)
                    .with("who", "a file that cannot be read")
                    .quoting(&path.display().to_string(), what)
                    .because("Somebody wanted no new jobs, so none are taken."),
            ),
        }
    }
}

impl Folder {
    fn intake_path(&self) -> PathBuf {
        self.root().join("paused")
    }

    /// What the file says now.
    #[must_use]
    pub fn intake(&self) -> Intake {
        let path = self.intake_path();
        let bytes = match atomic::read(&path) {
            Ok(None) => return Intake::Open,
            Ok(Some(bytes)) => bytes,
            // Who takes new jobs is decided by whoever looks after this host, and by nobody else.
            Err(error @ StateError::Distrusted { .. }) => {
                tracing::warn!(event = "state.distrusted", "{error}");
                return Intake::Open;
            }
            Err(StateError::Damaged { what, .. }) => return Intake::Unreadable { path, what },
            Err(error) => return Intake::Unreadable { path, what: error.to_string() },
        };
        match serde_json::from_slice::<Held>(&bytes) {
            Ok(held) => Intake::Held(held.made_harmless()),
            Err(_) => Intake::Unreadable { path, what: "it is not as it was written".to_owned() },
        }
    }

    fn lock_intake(&self) -> Result<Lock, StateError> {
        Lock::take(&self.root().join("locks").join("paused"), self.lock_within())
    }

    /// Asks for a hold; what was there before. A drain is not weakened to a pause, and who holds
    /// already goes on doing so unless a new note is given.
    ///
    /// # Errors
    ///
    /// [`StateError`].
    pub fn hold(&self, wanted: Held) -> Result<Intake, StateError> {
        let _lock = self.lock_intake()?;
        let before = self.intake();
        let next = match &before {
            Intake::Open | Intake::Unreadable { .. } => wanted,
            Intake::Held(held) => {
                let hold = if held.hold == Hold::Drain { Hold::Drain } else { wanted.hold };
                let next = if wanted.note.is_empty() { held.clone() } else { wanted };
                Held { hold, ..next }
            }
        };
        if before != Intake::Held(next.clone()) {
            let bytes = serde_json::to_vec(&next).expect("a hold holds nothing that JSON cannot");
            atomic::write(&self.intake_path(), &bytes)?;
        }
        Ok(before)
    }

    /// Takes new jobs again; what was there before.
    ///
    /// # Errors
    ///
    /// [`StateError`].
    pub fn release_hold(&self) -> Result<Intake, StateError> {
        let _lock = self.lock_intake()?;
        let before = self.intake();
        if before != Intake::Open {
            atomic::remove(&self.intake_path())?;
        }
        Ok(before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::empty_folder as folder;

    fn held(folder: &Folder) -> Held {
        let Intake::Held(held) = folder.intake() else { panic!("not held") };
        held
    }

    #[test]
    fn a_hold_stays_until_it_is_released_and_a_drain_is_not_weakened() {
        let (_root, folder) = folder();
        assert_eq!(folder.intake(), Intake::Open);
        assert_eq!(folder.hold(Held::now(Hold::Pause, "anna", "disk")).unwrap(), Intake::Open);
        folder.hold(Held::now(Hold::Drain, "ben", "")).unwrap();
        let now = held(&folder);
        assert_eq!((now.hold, &*now.who, &*now.note), (Hold::Drain, "anna", "disk"));
        folder.hold(Held::now(Hold::Pause, "ben", "kernel")).unwrap();
        let now = held(&folder);
        assert_eq!((now.hold, &*now.who, &*now.note), (Hold::Drain, "ben", "kernel"));
        assert_eq!(folder.release_hold().unwrap(), Intake::Held(now));
        assert_eq!(folder.release_hold().unwrap(), Intake::Open);
    }

    #[test]
    fn what_cannot_be_read_is_a_pause_and_no_link_is_followed() {
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
            assert!(matches!(folder.intake(), Intake::Unreadable { .. }));
            assert_eq!(folder.intake().why().unwrap().cause, Cause::Paused);
            folder.release_hold().unwrap();
            assert_eq!(folder.intake(), Intake::Open);
        }
        assert_eq!(std::fs::read_to_string(elsewhere).unwrap(), "keep");
    }

    #[test]
    fn a_name_or_note_can_move_no_cursor() {
        let (root, folder) = folder();
        folder.hold(Held::now(Hold::Pause, "a\x1b[2J", &"x".repeat(900))).unwrap();
        assert_eq!(held(&folder).who, "a\\x1b[2J");
        assert_eq!(held(&folder).note.chars().count(), MAX_NOTE);
        let text = r#"{"hold":"pause","who":"\u001b[2J","since_unix_s":1}"#;
        std::fs::write(root.path().join("paused"), text).unwrap();
        assert_eq!(held(&folder).who, "\\x1b[2J");
    }
}
