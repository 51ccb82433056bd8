//! What people do by the command line, on its way into the audit log: one small file for each action, in `actions` in
//! the state folder, until the daemon has taken it in.
//!
//! A command needs no daemon and no database for it. An entry carries the file's own name, so a daemon that was killed
//! between writing the entry and removing the file does not write it twice.

use std::fs::DirBuilder;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use fargate_events::{JobEvent, emit};
use fargate_files::{FileError, require_own_folder};
use fargate_model::random;
use fargate_model::text::{error_chain, escape_within};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::audit::append_audit;
use crate::database::SqlStatement;
use crate::moments::{now_ms, run_blocking};
use crate::{AuditEntry, HistoryError, HistoryStore, JournalIngest};

/// The folder of the files, in the state folder.
const FOLDER: &str = "actions";
/// Actions that are taken in at one look. Ours.
const ACTIONS_AT_ONCE: usize = 100;
/// The longest note that is kept, in characters. As on the page.
const LONGEST_NOTE: usize = 200;

/// Something that a person does to this host or to a task of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonAction {
    /// When: milliseconds since 1970.
    pub at_ms: u64,
    /// Who does it.
    pub who: String,
    /// What: `host.pause`, `host.drain`, `host.resume` or `task.stop`.
    pub action: String,
    /// To which task; `None`: to the host.
    pub task: Option<String>,
    /// The key of the task's job, where it is known.
    pub job: Option<String>,
    /// Why.
    pub note: String,
}

impl PersonAction {
    /// An action of this moment.
    #[must_use]
    pub fn now(who: &str, action: &str) -> Self {
        let (who, action) = (who.to_owned(), action.to_owned());
        Self { at_ms: now_ms(), who, action, ..Self::default() }
    }

    /// Keeps it in this state folder, until a daemon takes it into the audit log.
    ///
    /// # Errors
    ///
    /// [`FileError`]; then it is not kept.
    pub fn keep(&self, state_dir: &Path) -> Result<(), FileError> {
        let folder = state_dir.join(FOLDER);
        // Its parent must be there: whoever runs jobs makes the state folder.
        match DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(FileError::disk("making the folder", &folder)(error));
            }
            Ok(()) | Err(_) => {}
        }
        require_own_folder(&folder)?;
        let token = random::token().map_err(FileError::disk("drawing a name for", &folder))?;
        // The oldest comes first where names are sorted.
        let path = folder.join(format!("{:015}-{token}.json", self.at_ms));
        fargate_files::write(&path, json!(self).to_string().as_bytes())
    }

    /// Its entry in the audit log of `host`. `id` tells it from every other one.
    fn entry(&self, host: &str, id: &str) -> AuditEntry {
        let note = escape_within(&self.note, LONGEST_NOTE);
        let mut details = json!({ "by": "command line", "id": id, "note": note });
        if let Some(job) = &self.job {
            details["job"] = json!(job);
        }
        AuditEntry {
            at_ms: self.at_ms,
            host: host.to_owned(),
            who: self.who.clone(),
            action: self.action.clone(),
            object: self.task.clone().unwrap_or_else(|| host.to_owned()),
            details,
        }
    }
}

impl HistoryStore {
    /// Adds an entry, unless it is there already.
    async fn add_audit_once(&self, entry: &AuditEntry) -> Result<(), HistoryError> {
        let database = self.database().await;
        let mut change = database.begin("writing to the audit log").await?;
        let read = SqlStatement::with(
            "SELECT COUNT(*) FROM audit WHERE at_ms = $1 AND details = $2",
            [entry.at_ms.into(), entry.details.to_string().as_str().into()],
        );
        let rows = change.rows(&read).await?;
        let is_there = rows.first().map_or(Ok(0), |row| row.number(0))? > 0;
        if !is_there {
            append_audit(&mut change, entry).await?;
        }
        change.commit().await
    }
}

impl JournalIngest {
    /// Takes what people did into the audit log.
    pub(crate) async fn take_in_actions(&self) -> Result<(), HistoryError> {
        let state_dir = self.settings.state_dir.clone();
        for (path, action) in run_blocking(move || waiting_actions(&state_dir)).await {
            let id = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            match action {
                Ok(action) => {
                    self.store.add_audit_once(&action.entry(&self.settings.host, &id)).await?;
                    // What cannot be removed is found to be there already at the next look.
                    let _ = run_blocking(move || fargate_files::remove(&path)).await;
                }
                Err(message) => {
                    // Put aside, so that it is told once.
                    let aside = path.with_extension("unreadable");
                    if run_blocking(move || std::fs::rename(&path, aside)).await.is_ok() {
                        emit(JobEvent::JournalUnreadable { message });
                    }
                }
            }
        }
        Ok(())
    }
}

/// The actions that wait, oldest first: their files, and what stands in them or why it cannot be read.
fn waiting_actions(state_dir: &Path) -> Vec<(PathBuf, Result<PersonAction, String>)> {
    let folder = state_dir.join(FOLDER);
    let Ok(read) = std::fs::read_dir(&folder) else { return Vec::new() };
    if require_own_folder(&folder).is_err() {
        return Vec::new();
    }
    let paths = read.filter_map(|entry| Some(entry.ok()?.path()));
    let mut paths: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|it| it == "json")).collect();
    paths.sort();
    paths.truncate(ACTIONS_AT_ONCE);
    let action = |path: PathBuf| {
        let parsed = match fargate_files::read(&path) {
            // Somebody removed it meanwhile.
            Ok(None) => return None,
            Ok(Some(bytes)) => serde_json::from_slice(&bytes)
                .map_err(|error| format!("{}: {error}", path.display())),
            Err(error) => Err(error_chain(&error)),
        };
        Some((path, parsed))
    };
    paths.into_iter().filter_map(action).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_waits_in_a_file_of_its_own_with_all_that_was_said() {
        let state = tempfile::tempdir().unwrap();
        let mut stop = PersonAction::now("anna", "task.stop");
        stop.task = Some("arn:aws:ecs:eu-west-1:111122223333:task/ci/1".to_owned());
        let pause =
            PersonAction { at_ms: stop.at_ms + 1, ..PersonAction::now("ben", "host.pause") };
        pause.keep(state.path()).unwrap();
        stop.keep(state.path()).unwrap();
        let waiting = waiting_actions(state.path()).into_iter();
        let read: Vec<_> = waiting.map(|(_, action)| action.unwrap()).collect();
        assert_eq!(read, [stop, pause], "the oldest first");
    }

    #[test]
    fn nothing_is_kept_where_there_is_no_state_folder() {
        let place = tempfile::tempdir().unwrap();
        let missing = place.path().join("state");
        assert!(PersonAction::now("anna", "host.pause").keep(&missing).is_err());
        assert!(!missing.exists());
    }
}
