//! Which journal a process of a job writes. What a journal holds is known to `fargate-job-journal`.

use std::path::Path;
use std::sync::Arc;

use fargate_events::{EventEmitter, EventSink};
use fargate_job_journal::{JournalFolder, JournalSink};
use fargate_model::job::JobKey;

use crate::streams::masker;

/// The journal of the job, for a process that is `stage` of it.
pub fn journal_of(state_dir: &Path, key: &JobKey, stage: &str) -> Arc<dyn EventSink> {
    let folder = JournalFolder::of(state_dir);
    Arc::new(JournalSink::new(folder, key.clone(), stage.to_owned(), masker().clone()))
}

/// What passes events on to `tracing` and to that journal.
pub fn traced_and_journaled(state_dir: &Path, key: &JobKey, stage: &str) -> EventEmitter {
    EventEmitter::tracing().with(journal_of(state_dir, key, stage))
}
