//! What was told, as a file of the state folder keeps it, so that a new process tells nothing twice.
//!
//! The file is replaced as a whole. One that is lost, damaged or written by another user counts as none: then what
//! is open is told once more. A message that a target took just before this process was killed is sent again; its
//! `id` is the same. Nobody is told an end without its beginning. Nothing here decides what is told.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use fargate_files::{FileError, FileLock};
use fargate_model::text::escape_within;
use serde::{Deserialize, Serialize};

use crate::notice::{LONGEST_TEXT, NoticeKind, OpenCondition};

/// The file's name in the state folder.
pub const TOLD_NOTICES: &str = "told-notices.json";
/// The lock of the one process that tells.
const TELLER_LOCK: &str = "told-notices.lock";
/// The version of the file. It rises when a member goes or changes its meaning.
const VERSION: u32 = 1;
/// Longest name of a project that is kept, in characters.
const LONGEST_NAME: usize = 200;

/// One message that was made, and who has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ToldNotice {
    /// What it says of the condition.
    pub(crate) kind: NoticeKind,
    /// The condition, as it was when the file was written.
    pub(crate) condition: OpenCondition,
    /// Targets that took the message, or for which it was given up.
    pub(crate) settled: BTreeSet<String>,
    /// Of an end: targets that took the message of its beginning, or for which that one was given up.
    #[serde(default)]
    pub(crate) beginning_settled: BTreeSet<String>,
}

/// All that was told and counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldNotices {
    version: u32,
    pub(crate) notices: Vec<ToldNotice>,
}

impl ToldNotices {
    /// These, with each text cut to what a message repeats.
    pub(crate) fn of(notices: impl Iterator<Item = ToldNotice>) -> Self {
        Self { version: VERSION, notices: notices.map(ToldNotice::shortened).collect() }
    }
}

impl ToldNotice {
    /// Whether no target still has to take it.
    pub(crate) fn is_settled(&self, targets: &[&str]) -> bool {
        targets.iter().all(|target| self.settled.contains(*target))
    }

    /// The messages that this target did not take yet, in the order in which they are sent.
    pub(crate) fn owed_to(&self, target: &str) -> Vec<NoticeKind> {
        if self.settled.contains(target) {
            return Vec::new();
        }
        let lacks_beginning =
            self.kind == NoticeKind::Recovered && !self.beginning_settled.contains(target);
        let beginning = lacks_beginning.then_some(NoticeKind::Opened);
        beginning.into_iter().chain([self.kind]).collect()
    }

    fn shortened(mut self) -> Self {
        let short = |text: &mut String| *text = escape_within(text, LONGEST_TEXT);
        let about = &mut self.condition;
        short(&mut about.headline);
        about.action.iter_mut().for_each(short);
        about.command.iter_mut().for_each(short);
        about.project_names.iter_mut().for_each(|it| *it = escape_within(it, LONGEST_NAME));
        self
    }
}

/// The file, held by the one process that tells.
#[derive(Debug)]
pub struct ToldNoticeFile {
    path: PathBuf,
    _teller: FileLock,
}

impl ToldNoticeFile {
    /// Claims the file of this state folder until the value is dropped, or the process ends.
    ///
    /// # Errors
    ///
    /// [`FileError::Held`] while another process tells, [`FileError::Disk`] where no lock can be made.
    pub fn claim(state_dir: &Path) -> Result<Self, FileError> {
        let teller = FileLock::take_now(&state_dir.join(TELLER_LOCK))?;
        Ok(Self { path: state_dir.join(TOLD_NOTICES), _teller: teller })
    }

    /// What was told by earlier processes.
    ///
    /// # Errors
    ///
    /// [`FileError::Damaged`] and [`FileError::Distrusted`]: then nothing counts as told.
    pub fn read(&self) -> Result<ToldNotices, FileError> {
        let Some(bytes) = fargate_files::read(&self.path)? else {
            return Ok(ToldNotices::default());
        };
        let damaged = |what: String| FileError::Damaged { path: self.path.clone(), what };
        let told: ToldNotices =
            serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        match told.version {
            VERSION => Ok(told),
            other => Err(damaged(format!("its version is {other}, and {VERSION} is known"))),
        }
    }

    /// Replaces the file. It waits for the disk.
    ///
    /// # Errors
    ///
    /// [`FileError::Disk`]: the file is as it was.
    pub fn write(&self, told: &ToldNotices) -> Result<(), FileError> {
        // Texts, sets and whole numbers are always JSON.
        fargate_files::write(&self.path, &serde_json::to_vec(told).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn told() -> ToldNotices {
        let condition = OpenCondition {
            name: "no-capacity".to_owned(),
            headline: "x".repeat(5_000),
            project_names: vec!["y".repeat(5_000)],
            ..OpenCondition::default()
        };
        let settled = BTreeSet::from(["webhook".to_owned()]);
        ToldNotices::of(std::iter::once(ToldNotice {
            kind: NoticeKind::Opened,
            condition,
            settled,
            beginning_settled: BTreeSet::new(),
        }))
    }

    #[test]
    fn what_was_written_is_read_and_no_second_process_tells() {
        let folder = tempfile::tempdir().unwrap();
        let file = ToldNoticeFile::claim(folder.path()).unwrap();
        assert_eq!(file.read().unwrap(), ToldNotices::default());
        file.write(&told()).unwrap();
        assert_eq!(file.read().unwrap(), told());
        let second = ToldNoticeFile::claim(folder.path()).unwrap_err();
        assert!(matches!(second, FileError::Held { .. }), "{second}");
        drop(file);
        let next = ToldNoticeFile::claim(folder.path()).unwrap();
        assert_eq!(next.read().unwrap(), told());
        let length = std::fs::metadata(folder.path().join(TOLD_NOTICES)).unwrap().len();
        assert!(length < 2_000, "long texts are cut: {length}");
    }

    #[test]
    fn a_file_that_is_damaged_newer_or_of_others_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let file = ToldNoticeFile::claim(folder.path()).unwrap();
        let path = folder.path().join(TOLD_NOTICES);
        for text in ["", "{", "[]", r#"{"version": 2, "notices": []}"#] {
            std::fs::write(&path, text).unwrap();
            assert!(matches!(file.read(), Err(FileError::Damaged { .. })), "{text:?}");
        }
        file.write(&told()).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o666)).unwrap();
        assert!(matches!(file.read(), Err(FileError::Distrusted { .. })));
    }
}
