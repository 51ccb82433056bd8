//! Folds what is new in journals into the stories that the history holds.

use std::collections::{HashMap, HashSet};

use fargate_job_journal::{
    JobState, JobStory, JournalEntry, JournalFolder, JournalPart, estimate_costs, read_journal,
};
use fargate_model::job::JobKey;
use fargate_model::price::TaskPrices;
use fargate_model::text::error_chain;

use crate::database::SqlStatement;
use crate::moments::now_ms;
use crate::{AppliedEntry, HistoryError, HistoryStore, StoryUpdate};

/// New bytes of all journals that one transaction takes in. Ours: it bounds memory.
const BYTES_AT_ONCE: u64 = 16 * 1024 * 1024;

/// Up to where a journal was read, and the story that it told.
#[derive(Debug)]
pub(crate) struct JournalPlace {
    pub(crate) key: JobKey,
    pub(crate) offset: u64,
    pub(crate) story: JobStory,
    /// Whether the job was closed without its own last words; `story` goes on without them.
    pub(crate) is_closed: bool,
}

/// What the journals told.
#[derive(Debug, Default)]
pub(crate) struct FoldedJournals {
    pub(crate) updates: Vec<StoryUpdate>,
    /// Journals of which more can be read, and from where.
    pub(crate) unread: HashMap<JobKey, u64>,
    /// Journals that cannot be read, and why.
    pub(crate) unreadable: HashMap<JobKey, String>,
    /// Jobs that are over.
    pub(crate) finished: HashSet<JobKey>,
}

/// Reads the journals on from these places.
pub(crate) fn fold_journals(
    journals: &JournalFolder,
    host: &str,
    prices: &TaskPrices,
    places: Vec<JournalPlace>,
) -> FoldedJournals {
    let mut folded = FoldedJournals::default();
    let mut bytes = 0;
    for place in places {
        if bytes > BYTES_AT_ONCE {
            folded.unread.insert(place.key, place.offset);
            continue;
        }
        match read_on(journals, &place) {
            Ok(part) => {
                bytes += part.next_offset.saturating_sub(place.offset);
                folded.add(host, prices, place, &part);
            }
            Err(message) => {
                folded.unreadable.insert(place.key, message);
            }
        }
    }
    folded
}

/// A journal that became shorter is another one, and is read from its beginning.
fn read_on(journals: &JournalFolder, place: &JournalPlace) -> Result<JournalPart, String> {
    let length = std::fs::symlink_metadata(journals.journal(&place.key)).map(|file| file.len());
    let is_shorter = length.is_ok_and(|length| length < place.offset);
    let from = if is_shorter { 0 } else { place.offset };
    read_journal(journals, &place.key, from).map_err(|error| error_chain(&error))
}

impl FoldedJournals {
    fn add(&mut self, host: &str, prices: &TaskPrices, place: JournalPlace, part: &JournalPart) {
        let JournalPlace { key, offset, mut story, .. } = place;
        if part.has_more {
            self.unread.insert(key.clone(), part.next_offset);
        }
        if offset == 0 && !part.entries.is_empty() {
            // A story that was made without the journal says less than the journal.
            story = JobStory::new(key.as_str());
        }
        let new_entries = apply_part(&mut story, part);
        if story.state == JobState::Finished {
            estimate_costs(&mut story, prices, now_ms());
            self.finished.insert(key);
        }
        if part.next_offset != offset {
            self.updates.push(StoryUpdate {
                host: host.to_owned(),
                story,
                new_entries,
                journal_from: offset,
                journal_offset: part.next_offset,
                is_closed: false,
            });
        }
    }
}

/// Applies each entry by itself, to know where the job stood after it.
fn apply_part(story: &mut JobStory, part: &JournalPart) -> Vec<AppliedEntry> {
    let mut applied = Vec::with_capacity(part.entries.len());
    for (index, entry) in part.entries.iter().enumerate() {
        let damaged_at = (part.damaged_at == Some(index)).then_some(0);
        take_one(story, Some(entry), damaged_at);
        applied.push(AppliedEntry { entry: entry.clone(), state: story.state });
    }
    if part.damaged_at == Some(part.entries.len()) {
        take_one(story, None, Some(0));
    }
    applied
}

fn take_one(story: &mut JobStory, entry: Option<&JournalEntry>, damaged_at: Option<usize>) {
    let entries = entry.cloned().into_iter().collect();
    story.take_in(&JournalPart { entries, damaged_at, ..JournalPart::default() });
}

impl HistoryStore {
    /// Up to where the journals of these jobs were read. A job that was closed without its own last words
    /// gets the story that its journal told.
    pub(crate) async fn journal_places(
        &self,
        host: &str,
        keys: &[JobKey],
    ) -> Result<Vec<JournalPlace>, HistoryError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let mut read = SqlStatement::new(
            "SELECT story, key, journal_offset, is_closed, number FROM jobs JOIN stories USING (number) \
             WHERE host = ",
        );
        read.bind(host).push(" AND key IN ").bind_list(keys.iter().map(JobKey::as_str));
        let rows = self.database().await.rows("reading where journals were read to", &read).await?;
        let mut stored = HashMap::new();
        for row in &rows {
            let (key, offset, number) = (row.text(1)?, row.number(2)?, row.number(4)?);
            let story = crate::lookup::story_of(row)?;
            // What another version wrote and this one cannot read is told anew by the events.
            let is_closed = row.number(3)? != 0;
            let story = match story.filter(|_| !is_closed) {
                Some(story) => story,
                None => self.retold(&key, number).await?,
            };
            stored.insert(key, (offset, story, is_closed));
        }
        let place = |key: &JobKey| {
            let unknown = || (0, JobStory::new(key.as_str()), false);
            let (offset, story, is_closed) = stored.remove(key.as_str()).unwrap_or_else(unknown);
            JournalPlace { key: key.clone(), offset, story, is_closed }
        };
        Ok(keys.iter().map(place).collect())
    }

    /// The story that the stored events of a job tell.
    async fn retold(&self, key: &str, number: u64) -> Result<JobStory, HistoryError> {
        let read = SqlStatement::with(
            "SELECT entry FROM events WHERE number = $1 ORDER BY sequence",
            [number.into()],
        );
        let mut story = JobStory::new(key);
        let database = self.database().await;
        database
            .for_each_row("reading the events of a job", &read, |row| {
                if let Ok(entry) = serde_json::from_str::<JournalEntry>(&row.text(0)?) {
                    story.apply(&entry);
                }
                Ok(())
            })
            .await?;
        Ok(story)
    }
}
