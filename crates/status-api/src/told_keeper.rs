//! Writes what was told into its file, beside the looks: a disk that hangs delays no message for long, and what
//! could not be written is written later. It decides nothing.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fargate_events::{JobEvent, emit};
use fargate_files::FileError;
use fargate_model::text::error_chain;
use fargate_notifier::{ToldNoticeFile, ToldNotices};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

/// So long is waited for the disk. Ours.
const WRITE_TIME: Duration = Duration::from_secs(5);

/// The file, and what is still to be written.
#[derive(Debug)]
pub(crate) struct ToldKeeper {
    file: Arc<ToldNoticeFile>,
    pending: Option<Arc<ToldNotices>>,
    writing: Option<JoinHandle<Result<(), FileError>>>,
    /// What was said of the last write that failed.
    trouble: Option<String>,
}

impl ToldKeeper {
    /// Claims the file of the state folder, and reads what earlier processes told. A file that cannot be believed
    /// counts as empty.
    ///
    /// # Errors
    ///
    /// [`FileError::Held`] while another process tells, [`FileError::Disk`] where no lock can be made.
    pub(crate) fn claim(state_dir: &Path) -> Result<(Self, ToldNotices), FileError> {
        let file = ToldNoticeFile::claim(state_dir)?;
        let told = file.read().unwrap_or_else(|error| {
            emit(JobEvent::StateDamaged { message: error_chain(&error) });
            ToldNotices::default()
        });
        let keeper = Self { file: Arc::new(file), pending: None, writing: None, trouble: None };
        Ok((keeper, told))
    }

    /// Writes the newest state, if it is not written yet.
    pub(crate) async fn keep(&mut self, changed: Option<ToldNotices>) {
        if let Some(changed) = changed {
            self.pending = Some(Arc::new(changed));
        }
        // Two writes at one time would meet in one new file.
        if self.writing.is_some() && !self.has_written().await {
            return;
        }
        let Some(told) = self.pending.clone() else { return };
        let file = Arc::clone(&self.file);
        self.writing = Some(spawn_blocking(move || file.write(&told)));
        self.pending = None;
        self.has_written().await;
    }

    /// Waits for the write under way; whether it ended.
    async fn has_written(&mut self) -> bool {
        let Some(writing) = &mut self.writing else { return true };
        let Ok(written) = timeout(WRITE_TIME, writing).await else { return false };
        self.writing = None;
        match written {
            Ok(Ok(())) => self.trouble = None,
            Ok(Err(error)) => self.note(error_chain(&error)),
            Err(error) => self.note(error.to_string()),
        }
        true
    }

    /// Tells a trouble once, until a write succeeds.
    fn note(&mut self, message: String) {
        if self.trouble.as_ref() != Some(&message) {
            emit(JobEvent::StateNotWritten { message: message.clone() });
            self.trouble = Some(message);
        }
    }

    /// Whether the last write failed, so that all is to be written again.
    pub(crate) fn is_behind(&self) -> bool {
        self.trouble.is_some()
    }
}
