//! One whole journal, read at once: the story of its job with costs, and all entries. A journal that is too long
//! for one read is read part by part. Nothing is kept between two calls.

use std::path::Path;

use fargate_files::FileError;
use fargate_model::job::JobKey;
use fargate_model::price::TaskPrices;

use crate::job_cost::estimate_costs;
use crate::journal_entry::JournalEntry;
use crate::journal_folder::JournalFolder;
use crate::journal_reader::read_journal;
use crate::story::JobStory;

/// The story of one job, and what it was told by.
#[derive(Clone, Debug)]
pub struct ToldStory {
    /// The story, with what each try cost until the reader's moment.
    pub story: JobStory,
    /// All entries of the journal, the oldest first.
    pub entries: Vec<JournalEntry>,
}

impl ToldStory {
    /// Reads the journal of a job in this state folder; `None` if it has none, or an empty one. Tasks that live
    /// cost what they cost until `now_ms` (milliseconds since 1970).
    ///
    /// # Errors
    ///
    /// [`FileError`] if the journal cannot be read, or another user may have written it.
    pub fn read(
        state_dir: &Path,
        key: &JobKey,
        prices: &TaskPrices,
        now_ms: u64,
    ) -> Result<Option<Self>, FileError> {
        let folder = JournalFolder::of(state_dir);
        let mut told = Self { story: JobStory::new(key.as_str()), entries: Vec::new() };
        let mut offset = 0;
        loop {
            let part = read_journal(&folder, key, offset)?;
            offset = part.next_offset;
            told.story.take_in(&part);
            told.entries.extend(part.entries);
            if !part.has_more {
                break;
            }
        }
        estimate_costs(&mut told.story, prices, now_ms);
        Ok(Some(told).filter(|told| !told.entries.is_empty()))
    }
}
