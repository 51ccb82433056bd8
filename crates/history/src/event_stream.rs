//! Events of all jobs in the order in which they were stored, for whoever follows them live.

use fargate_job_journal::{JobState, JournalEntry};

use crate::database::SqlStatement;
use crate::job_columns::state_of;
use crate::{HistoryError, HistoryStore};

/// An event with its place among all.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredEvent {
    /// Its number: one that was stored later has a larger one, whichever host stored it.
    pub sequence: u64,
    /// The job's key.
    pub key: String,
    /// The job's id.
    pub id: String,
    /// The job's host.
    pub host: String,
    /// When it happened: milliseconds since 1970.
    pub at_ms: u64,
    /// Its name: `task.accepted`, `fact.task_seen`.
    pub name: String,
    /// Where the job stood after it.
    pub state: JobState,
    /// All of it.
    pub entry: JournalEntry,
}

impl HistoryStore {
    /// The events after this number, at most `limit`, in order. Events of removed jobs are gone.
    ///
    /// # Errors
    ///
    /// [`HistoryError`].
    pub async fn events_after(
        &self,
        sequence: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, HistoryError> {
        let read = SqlStatement::with(
            "SELECT sequence, key, id, host, at_ms, events.name, events.state, entry \
             FROM events JOIN jobs USING (number) WHERE sequence > $1 ORDER BY sequence LIMIT $2",
            [sequence.into(), (limit as u64).into()],
        );
        let rows = self.database().await.rows("reading new events", &read).await?;
        let unreadable = |source| HistoryError::Unreadable { what: "an event", source };
        rows.iter()
            .map(|row| {
                Ok(StoredEvent {
                    sequence: row.number(0)?,
                    key: row.text(1)?,
                    id: row.text(2)?,
                    host: row.text(3)?,
                    at_ms: row.number(4)?,
                    name: row.text(5)?,
                    state: state_of(&row.text(6)?),
                    entry: serde_json::from_str(&row.text(7)?).map_err(unreadable)?,
                })
            })
            .collect()
    }

    /// Looks whether another host stored events, and tells whoever waits.
    ///
    /// # Errors
    ///
    /// [`HistoryError`].
    pub async fn look_for_news(&self) -> Result<(), HistoryError> {
        let read = SqlStatement::new("SELECT events FROM counters");
        let rows = self.database().await.rows("looking for new events", &read).await?;
        if let Some(row) = rows.first() {
            self.tell_sequence(row.number(0)?);
        }
        Ok(())
    }
}
