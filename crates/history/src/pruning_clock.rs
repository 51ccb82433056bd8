//! The clock by which old things leave the history. It never runs ahead of what the history itself has seen by
//! much: a host whose clock is set to a year from now must not empty it in one go.
//!
//! It stands in the database, beside the jobs. It removes nothing.

use std::time::Duration;

use crate::database::{HistoryDatabase, SqlStatement, WriteTransaction};
use crate::moments::millis;
use crate::{HistoryError, HistoryStore};

/// How much faster than real time it may catch up with the host's clock. Ours: a month without a daemon is
/// caught up in 30 h, and a clock that is wrong for an hour costs the oldest day.
const CATCHES_UP: u32 = 24;

/// What both clocks show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PruningTime {
    /// The time by which old things are removed: milliseconds since 1970.
    pub trusted_ms: u64,
    /// How far the host's clock is ahead of it.
    pub ahead: Duration,
}

impl HistoryStore {
    /// The time by which old things are removed, where the host's clock shows `now_ms` and `passed` is the time
    /// since this was asked last, by a clock that nobody sets; zero at the first time. PostgreSQL's own clock
    /// counts as well.
    ///
    /// # Errors
    ///
    /// [`HistoryError`].
    pub async fn pruning_time(
        &self,
        now_ms: u64,
        passed: Duration,
    ) -> Result<PruningTime, HistoryError> {
        let database = self.database().await;
        let server_ms = database.server_ms().await?;
        let mut change = database.begin("asking by which time old jobs are removed").await?;
        let lock = "UPDATE pruning_clock SET trusted_ms = trusted_ms RETURNING trusted_ms";
        let rows = change.rows(&SqlStatement::new(lock)).await?;
        let known = rows.first().map(|row| row.known_number(0)).transpose()?.flatten();
        let clock_ms = now_ms.min(server_ms.unwrap_or(u64::MAX));
        let allowed_ms = match known {
            Some(known) => known.saturating_add(millis(passed.saturating_mul(CATCHES_UP))),
            // The history begins with what it holds.
            None => newest_ms(&mut change).await?.unwrap_or(u64::MAX),
        };
        let trusted_ms = clock_ms.min(allowed_ms);
        let keep = match rows.is_empty() {
            true => "INSERT INTO pruning_clock VALUES ($1)",
            false => "UPDATE pruning_clock SET trusted_ms = $1",
        };
        change.execute(&SqlStatement::with(keep, [trusted_ms.into()])).await?;
        change.commit().await?;
        let ahead = Duration::from_millis(now_ms.saturating_sub(trusted_ms));
        Ok(PruningTime { trusted_ms, ahead })
    }
}

impl HistoryDatabase {
    /// The time by the database's own clock, if it runs elsewhere.
    pub(crate) async fn server_ms(&self) -> Result<Option<u64>, HistoryError> {
        if !self.is_postgres() {
            return Ok(None);
        }
        let ask = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)";
        let rows = self.rows("asking the database for the time", &SqlStatement::new(ask)).await?;
        rows.first().map(|row| row.number(0)).transpose()
    }
}

/// The newest time that the history holds.
async fn newest_ms(change: &mut WriteTransaction) -> Result<Option<u64>, HistoryError> {
    let mut newest = None;
    for ask in ["SELECT MAX(changed_ms) FROM jobs", "SELECT MAX(at_ms) FROM audit"] {
        let rows = change.rows(&SqlStatement::new(ask)).await?;
        let found = rows.first().map(|row| row.known_number(0)).transpose()?.flatten();
        newest = newest.max(found);
    }
    Ok(newest)
}
