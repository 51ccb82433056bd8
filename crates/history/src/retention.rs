//! Old jobs leave the history, some at a time, so that no page waits for it.

use crate::database::SqlStatement;
use crate::{HistoryError, HistoryStore};

/// Jobs that one transaction removes. Ours: some ten milliseconds.
const JOBS_AT_ONCE: u64 = 500;

impl HistoryStore {
    /// Removes jobs that were over before this moment and of which nothing was heard since. Returns how
    /// many. The audit log has its own time.
    ///
    /// # Errors
    ///
    /// [`HistoryError`]; some may be removed.
    pub async fn prune(&self, before_ms: u64) -> Result<u64, HistoryError> {
        let mut removed = 0;
        loop {
            let now_removed = self.prune_some(before_ms).await?;
            if now_removed == 0 {
                return Ok(removed);
            }
            removed += now_removed;
            self.database().await.give_back().await?;
        }
    }

    async fn prune_some(&self, before_ms: u64) -> Result<u64, HistoryError> {
        let database = self.database().await;
        let mut change = database.begin("removing old jobs").await?;
        let find = SqlStatement::with(
            "SELECT number FROM jobs WHERE ended_ms >= 0 AND ended_ms < $1 AND changed_ms < $1 \
             ORDER BY ended_ms LIMIT $2",
            [before_ms.into(), JOBS_AT_ONCE.into()],
        );
        let rows = change.rows(&find).await?;
        let numbers = rows.iter().map(|row| row.number(0)).collect::<Result<Vec<_>, _>>()?;
        if numbers.is_empty() {
            change.commit().await?;
            return Ok(0);
        }
        for table in ["events", "stories", "jobs"] {
            let mut remove = SqlStatement::new("DELETE FROM ");
            remove.push(table).push(" WHERE number IN ").bind_list(numbers.iter().copied());
            change.execute(&remove).await?;
        }
        change.commit().await?;
        Ok(numbers.len() as u64)
    }
}
