//! Which journals have something new, by their length. It reads none.
//!
//! Journals of jobs that are over are looked at every ten seconds only: thousands of them lie beside the few
//! that grow.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use fargate_job_journal::JournalFolder;
use fargate_model::job::JobKey;

/// Time between two looks at a journal of a job that is over. Ours.
const FINISHED_EACH: Duration = Duration::from_secs(10);

/// What is known of the journals.
#[derive(Debug)]
pub(crate) struct JournalScan {
    journals: JournalFolder,
    known: HashMap<JobKey, KnownJournal>,
    finished_due: Instant,
}

#[derive(Clone, Copy, Debug)]
struct KnownJournal {
    /// Its length when all of it was read, or the place up to which it was read.
    length: u64,
    is_finished: bool,
}

impl JournalScan {
    pub(crate) fn new(journals: JournalFolder) -> Self {
        Self { journals, known: HashMap::new(), finished_due: Instant::now() }
    }

    /// The journals whose length is another one than was noted, with their lengths.
    pub(crate) fn changed(&mut self) -> Vec<(JobKey, u64)> {
        let now = Instant::now();
        let is_finished_due = now >= self.finished_due;
        if is_finished_due {
            self.finished_due = now + FINISHED_EACH;
        }
        // What cannot be read now may be readable later; the folder's state is checked where it is used.
        let keys = self.journals.keys().unwrap_or_default();
        if is_finished_due {
            let present: std::collections::HashSet<_> = keys.iter().collect();
            self.known.retain(|key, _| present.contains(key));
        }
        let mut changed = Vec::new();
        for key in keys {
            let known = self.known.get(&key);
            if known.is_some_and(|known| known.is_finished && !is_finished_due) {
                continue;
            }
            let Ok(metadata) = std::fs::symlink_metadata(self.journals.journal(&key)) else {
                continue;
            };
            if known.is_none_or(|known| known.length != metadata.len()) {
                changed.push((key, metadata.len()));
            }
        }
        changed
    }

    /// Notes that the journal was read when it had this length.
    pub(crate) fn note(&mut self, key: &JobKey, length: u64, is_finished: bool) {
        self.known.insert(key.clone(), KnownJournal { length, is_finished });
    }

    /// All journals count as new.
    pub(crate) fn forget(&mut self) {
        self.known.clear();
    }
}
