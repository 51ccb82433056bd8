//! Puts stories and what led to them into the database: the row, its events, the audit log and the place up
//! to which the journal was read, in one transaction. So a process that is killed loses and doubles nothing.

use fargate_job_journal::{JobState, JobStory, JournalContent, JournalEntry};

use crate::audit::{append_audit, audit_of};
use crate::database::{SqlStatement, SqlValue, WriteTransaction};
use crate::job_columns::{JobColumns, STORY_COLUMNS};
use crate::{HistoryError, HistoryStore};

/// Events that one statement inserts. Ours: few enough for the limits of values of both databases.
const EVENTS_AT_ONCE: usize = 50;

/// One entry, and where the job stood after it.
#[derive(Clone, Debug, PartialEq)]
pub struct AppliedEntry {
    /// The entry.
    pub entry: JournalEntry,
    /// Where the job stood after it.
    pub state: JobState,
}

/// What is new of one job.
#[derive(Clone, Debug, PartialEq)]
pub struct StoryUpdate {
    /// The host whose journal it is.
    pub host: String,
    /// The story with everything that is new.
    pub story: JobStory,
    /// What is new.
    pub new_entries: Vec<AppliedEntry>,
    /// Where in the journal `new_entries` begin: the update is passed over if the history holds another
    /// place.
    pub journal_from: u64,
    /// Where in the journal they end.
    pub journal_offset: u64,
    /// Whether the job was closed without its own last words.
    pub is_closed: bool,
}

impl StoryUpdate {
    /// A story without a journal, such as one that is made from what ECS knows.
    #[must_use]
    pub fn without_journal(host: &str, story: JobStory) -> Self {
        let host = host.to_owned();
        let new_entries = Vec::new();
        Self { host, story, new_entries, journal_from: 0, journal_offset: 0, is_closed: false }
    }
}

/// A job as the database holds it.
struct StoredJob {
    number: u64,
    journal_offset: u64,
    is_finished: bool,
}

impl HistoryStore {
    /// Puts these in, all or none. An update that begins at another place of its journal than the history
    /// holds is passed over: somebody has put it in already.
    ///
    /// # Errors
    ///
    /// [`HistoryError`]; then nothing was put in, and the same updates can be put in again.
    pub async fn put(&self, updates: Vec<StoryUpdate>) -> Result<(), HistoryError> {
        if updates.is_empty() {
            return Ok(());
        }
        let database = self.database().await;
        let mut change = database.begin("writing to the history").await?;
        let mut numbers = NumberSource::lock(&mut change).await?;
        for update in &updates {
            put_one(&mut change, &mut numbers, update).await?;
        }
        numbers.keep(&mut change).await?;
        change.commit().await?;
        self.tell_sequence(numbers.events);
        Ok(())
    }
}

/// The numbers of jobs and events. Whoever holds the row is the only writer of the database, so events
/// become visible in the order of their numbers, whichever host wrote them.
struct NumberSource {
    jobs: u64,
    events: u64,
}

impl NumberSource {
    async fn lock(change: &mut WriteTransaction) -> Result<Self, HistoryError> {
        let lock = "UPDATE counters SET jobs = jobs RETURNING jobs, events";
        let rows = change.rows(&SqlStatement::new(lock)).await?;
        let row =
            rows.first().ok_or(HistoryError::Damaged { doing: "counting jobs", source: None })?;
        Ok(Self { jobs: row.number(0)?, events: row.number(1)? })
    }

    async fn keep(&self, change: &mut WriteTransaction) -> Result<(), HistoryError> {
        let values = [self.jobs.into(), self.events.into()];
        let keep = SqlStatement::with("UPDATE counters SET jobs = $1, events = $2", values);
        change.execute(&keep).await.map(drop)
    }
}

async fn put_one(
    change: &mut WriteTransaction,
    numbers: &mut NumberSource,
    update: &StoryUpdate,
) -> Result<(), HistoryError> {
    let stored = stored_job(change, update).await?;
    let offset = stored.as_ref().map_or(0, |stored| stored.journal_offset);
    if offset != update.journal_from {
        return Ok(());
    }
    let columns = JobColumns::of(&update.story);
    let was_finished = stored.as_ref().is_some_and(|stored| stored.is_finished);
    let number = match stored {
        Some(stored) => {
            change_job(change, &stored, update, &columns).await?;
            stored.number
        }
        None => {
            numbers.jobs += 1;
            insert_job(change, numbers.jobs, update, &columns).await?;
            numbers.jobs
        }
    };
    put_story(change, number, &update.story, columns.report()).await?;
    for entries in update.new_entries.chunks(EVENTS_AT_ONCE) {
        insert_events(change, numbers, number, entries).await?;
    }
    for record in audit_of(update, was_finished) {
        append_audit(change, &record).await?;
    }
    Ok(())
}

async fn stored_job(
    change: &mut WriteTransaction,
    update: &StoryUpdate,
) -> Result<Option<StoredJob>, HistoryError> {
    let find = SqlStatement::with(
        "SELECT number, journal_offset, state FROM jobs WHERE host = $1 AND key = $2",
        [update.host.as_str().into(), update.story.key.as_str().into()],
    );
    let rows = change.rows(&find).await?;
    rows.first()
        .map(|row| {
            Ok(StoredJob {
                number: row.number(0)?,
                journal_offset: row.number(1)?,
                is_finished: row.text(2)? == JobState::Finished.word(),
            })
        })
        .transpose()
}

async fn insert_job(
    change: &mut WriteTransaction,
    number: u64,
    update: &StoryUpdate,
    columns: &JobColumns<'_>,
) -> Result<(), HistoryError> {
    let mut insert = SqlStatement::new("INSERT INTO jobs (");
    insert.push(&STORY_COLUMNS.join(", "));
    insert.push(", number, host, key, journal_offset, is_closed) VALUES ");
    let own = [
        number.into(),
        update.host.as_str().into(),
        update.story.key.as_str().into(),
        update.journal_offset.into(),
        update.is_closed.into(),
    ];
    insert.bind_list::<SqlValue>(columns.values().into_iter().chain(own));
    change.execute(&insert).await.map(drop)
}

async fn change_job(
    change: &mut WriteTransaction,
    stored: &StoredJob,
    update: &StoryUpdate,
    columns: &JobColumns<'_>,
) -> Result<(), HistoryError> {
    let mut set = SqlStatement::new("UPDATE jobs SET journal_offset = ");
    set.bind(update.journal_offset).push(", is_closed = ").bind(update.is_closed);
    for (column, value) in STORY_COLUMNS.into_iter().zip(columns.values()) {
        set.push(", ").push(column).push(" = ").bind(value);
    }
    set.push(" WHERE number = ").bind(stored.number);
    change.execute(&set).await.map(drop)
}

async fn put_story(
    change: &mut WriteTransaction,
    number: u64,
    story: &JobStory,
    report: Option<String>,
) -> Result<(), HistoryError> {
    let unreadable = |source| HistoryError::Unreadable { what: "a story", source };
    let text = serde_json::to_string(story).map_err(unreadable)?;
    let put = SqlStatement::with(
        "INSERT INTO stories (number, story, report) VALUES ($1, $2, $3) \
         ON CONFLICT (number) DO UPDATE SET story = excluded.story, report = excluded.report",
        [number.into(), text.as_str().into(), report.as_deref().into()],
    );
    change.execute(&put).await.map(drop)
}

async fn insert_events(
    change: &mut WriteTransaction,
    numbers: &mut NumberSource,
    number: u64,
    entries: &[AppliedEntry],
) -> Result<(), HistoryError> {
    let unreadable = |source| HistoryError::Unreadable { what: "an entry of a journal", source };
    let mut insert = SqlStatement::new(
        "INSERT INTO events (sequence, number, at_ms, name, state, entry) VALUES ",
    );
    for (index, applied) in entries.iter().enumerate() {
        numbers.events += 1;
        let text = serde_json::to_string(&applied.entry).map_err(unreadable)?;
        insert.push(if index == 0 { "" } else { ", " }).bind_list::<SqlValue>([
            numbers.events.into(),
            number.into(),
            applied.entry.time_ms.into(),
            name_of(&applied.entry).as_str().into(),
            applied.state.word().into(),
            text.as_str().into(),
        ]);
    }
    change.execute(&insert).await.map(drop)
}

/// The name of an event as the log has it, or `fact.` and the kind of a fact.
fn name_of(entry: &JournalEntry) -> String {
    match &entry.content {
        JournalContent::Event(event) => event.schema().name.to_owned(),
        JournalContent::Fact(fact) => {
            let fact = serde_json::to_value(fact).unwrap_or_default();
            format!("fact.{}", fact["fact"].as_str().unwrap_or("unknown"))
        }
        JournalContent::Unknown(_) => "unknown".to_owned(),
    }
}
