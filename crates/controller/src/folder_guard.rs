//! Whether the state folder is still the one that was opened. Its disk may be unmounted or moved away at any
//! moment, and without its records every live task looks like an orphan.
//!
//! It asks the disk each time, and changes nothing.

use fargate_model::text::error_chain;
use fargate_state::{RecordState, StateFolder};

use fargate_model::job::JobKey;

/// A state folder that is believed only while it is the same.
#[derive(Clone, Debug)]
pub(crate) struct FolderGuard {
    folder: StateFolder,
    /// What it calls itself; empty if it could not be read at the start.
    id: String,
}

impl FolderGuard {
    pub fn new(folder: StateFolder, id: String) -> Self {
        Self { folder, id }
    }

    pub fn folder(&self) -> &StateFolder {
        &self.folder
    }

    pub fn id(&self) -> &str {
        &self.id
    }

    /// What the folder knows of a job.
    ///
    /// # Errors
    ///
    /// In words for the operator, if the folder was lost before it was asked.
    pub fn known(&self, job: &JobKey) -> Result<RecordState, String> {
        let known = self.folder.known(job);
        // Looked at afterwards: a folder that is there now was there a moment ago.
        match self.lost() {
            None => Ok(known),
            Some(words) => Err(words),
        }
    }

    /// Why nothing can be judged: the folder is gone, or is another one than at the start.
    pub fn lost(&self) -> Option<String> {
        let listed = self.folder.keys().map(drop);
        let is_same = listed.and_then(|()| match self.id.as_str() {
            "" => Ok(true),
            id => self.folder.holds_name(id),
        });
        let what = match is_same {
            Ok(true) => return None,
            Ok(false) => "it is another folder than at the start".to_owned(),
            Err(error) => error_chain(&error),
        };
        let folder = self.folder.root().display();
        Some(format!(
            "the state folder {folder} is lost, so no task is judged: {what}; check its disk"
        ))
    }
}
