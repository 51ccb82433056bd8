//! The tables, and how a database of an earlier version becomes one of this version.
//!
//! Each step runs in a transaction of its own together with the note that it was done, so a process that
//! is killed leaves the database at one step or the next. Two daemons do not run a step at once.

use crate::database::{HistoryDatabase, SqlStatement, SqlValue, WriteTransaction};
use crate::dialect::{SCHEMA_LOCK, audit_guard};
use crate::{HistoryError, HistoryLocation};

/// The newest schema that this version knows.
pub(crate) const NEWEST: u64 = STEPS.len() as u64;

/// What leads from one schema to the next. A step that was released is never changed.
const STEPS: &[&[&str]] = &[FIRST, SECOND];

/// All tables of [`NEWEST`] but the one that tells the schema.
pub(crate) const TABLES: [&str; 8] =
    ["counters", "jobs", "stories", "events", "hosts", "audit", "audit_state", "pruning_clock"];

/// Times are milliseconds since 1970, money is in millionths of a US dollar, and -1 is "not known". `jobs`
/// has what is filtered, sorted and counted; what is only read one by one stands in `stories`.
const FIRST: &[&str] = &[
    "CREATE TABLE counters (jobs BIGINT NOT NULL, events BIGINT NOT NULL)",
    "INSERT INTO counters VALUES (0, 0)",
    "CREATE TABLE jobs (
       number BIGINT NOT NULL PRIMARY KEY,
       host TEXT NOT NULL, key TEXT NOT NULL, id TEXT NOT NULL,
       state TEXT NOT NULL, verdict TEXT,
       received_ms BIGINT NOT NULL, changed_ms BIGINT NOT NULL, ended_ms BIGINT NOT NULL,
       project TEXT, name TEXT, git_ref TEXT, image TEXT, size TEXT, task TEXT, is_spot BIGINT NOT NULL,
       slug TEXT, class TEXT, headline TEXT, object TEXT,
       start_ms BIGINT NOT NULL, lived_ms BIGINT NOT NULL, cost BIGINT NOT NULL,
       start_cost BIGINT NOT NULL, idle_cost BIGINT NOT NULL, failed_cost BIGINT NOT NULL,
       billed_ms BIGINT NOT NULL, spot_ms BIGINT NOT NULL,
       start_line TEXT, search TEXT NOT NULL, attempts BIGINT NOT NULL, is_priced BIGINT NOT NULL,
       nat_cost BIGINT NOT NULL, missing_price TEXT,
       journal_offset BIGINT NOT NULL, is_closed BIGINT NOT NULL,
       UNIQUE (host, key))",
    "CREATE INDEX jobs_by_received ON jobs (received_ms, number)",
    "CREATE INDEX jobs_by_start ON jobs (start_ms, number)",
    "CREATE INDEX jobs_by_lived ON jobs (lived_ms, number)",
    "CREATE INDEX jobs_by_cost ON jobs (cost, number)",
    "CREATE INDEX jobs_by_end ON jobs (ended_ms)",
    "CREATE INDEX jobs_by_id ON jobs (id)",
    "CREATE INDEX jobs_by_key ON jobs (key)",
    "CREATE INDEX jobs_by_image ON jobs (image, received_ms)",
    "CREATE INDEX jobs_by_project ON jobs (project, received_ms)",
    "CREATE TABLE stories (number BIGINT NOT NULL PRIMARY KEY, story TEXT NOT NULL, report TEXT)",
    "CREATE TABLE events (
       sequence BIGINT NOT NULL PRIMARY KEY, number BIGINT NOT NULL,
       at_ms BIGINT NOT NULL, name TEXT NOT NULL, state TEXT NOT NULL, entry TEXT NOT NULL)",
    "CREATE INDEX events_by_job ON events (number, sequence)",
    "CREATE TABLE hosts (
       host TEXT NOT NULL PRIMARY KEY, owner TEXT NOT NULL, version TEXT NOT NULL,
       first_ms BIGINT NOT NULL, heard_ms BIGINT NOT NULL)",
    "CREATE TABLE audit (
       sequence BIGINT NOT NULL PRIMARY KEY,
       at_ms BIGINT NOT NULL, host TEXT NOT NULL, who TEXT NOT NULL, action TEXT NOT NULL,
       object TEXT NOT NULL, details TEXT NOT NULL, previous TEXT NOT NULL, hash TEXT NOT NULL)",
    "CREATE TABLE audit_state (
       last_sequence BIGINT NOT NULL, last_hash TEXT NOT NULL, pruned_through BIGINT NOT NULL)",
    "INSERT INTO audit_state VALUES (0, '', 0)",
];

/// The clock by which old things are removed.
const SECOND: &[&str] = &[
    "CREATE TABLE pruning_clock (trusted_ms BIGINT NOT NULL)",
    "INSERT INTO pruning_clock VALUES (-1)",
];

impl HistoryDatabase {
    /// The schema of a database that is there; it is not changed.
    ///
    /// # Errors
    ///
    /// [`HistoryError::NewerSchema`] if a newer version made it.
    pub(crate) async fn known_schema(
        &self,
        location: &HistoryLocation,
    ) -> Result<u64, HistoryError> {
        let read = SqlStatement::new("SELECT version FROM history_schema");
        let rows = self.rows("reading the schema of the history", &read).await?;
        let found = rows.first().map(|row| row.number(0)).transpose()?.unwrap_or(0);
        match found > NEWEST {
            true => {
                let location = location.to_string();
                Err(HistoryError::NewerSchema { location, found, known: NEWEST })
            }
            false => Ok(found),
        }
    }

    /// Brings the database to [`NEWEST`].
    ///
    /// # Errors
    ///
    /// [`HistoryError::NewerSchema`] if a newer version made it; then nothing is changed.
    pub(crate) async fn migrate(&self, location: &HistoryLocation) -> Result<(), HistoryError> {
        loop {
            let mut change =
                self.begin("bringing the history to the schema of this version").await?;
            if change.is_postgres() {
                let lock = "SELECT pg_advisory_xact_lock($1)";
                change.rows(&SqlStatement::with(lock, [SCHEMA_LOCK.into()])).await?;
            }
            let found = schema_of(&mut change).await?;
            if found > NEWEST {
                let location = location.to_string();
                return Err(HistoryError::NewerSchema { location, found, known: NEWEST });
            }
            let Some(step) = usize::try_from(found).ok().and_then(|found| STEPS.get(found)) else {
                return change.commit().await;
            };
            for text in *step {
                change.execute(&SqlStatement::new(text)).await?;
            }
            if found == 0 {
                for statement in audit_guard(change.is_postgres()) {
                    change.execute(&statement).await?;
                }
            }
            let note = "UPDATE history_schema SET version = $1";
            change.execute(&SqlStatement::with(note, [SqlValue::from(found + 1)])).await?;
            change.commit().await?;
        }
    }
}

/// The schema of the database; 0 before the first step.
async fn schema_of(change: &mut WriteTransaction) -> Result<u64, HistoryError> {
    let make = "CREATE TABLE IF NOT EXISTS history_schema (version BIGINT NOT NULL)";
    change.execute(&SqlStatement::new(make)).await?;
    let rows = change.rows(&SqlStatement::new("SELECT version FROM history_schema")).await?;
    match rows.first() {
        Some(row) => row.number(0),
        None => {
            let first = "INSERT INTO history_schema VALUES (0)";
            change.execute(&SqlStatement::new(first)).await?;
            Ok(0)
        }
    }
}
