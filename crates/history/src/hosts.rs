//! The hosts whose daemons write into this history.

use std::time::Duration;

use crate::database::SqlStatement;
use crate::{HistoryError, HistoryStore};

/// A daemon that was silent for so long has left its host's name. Ours; a daemon is heard each
/// [`HEARD_EACH`].
const NAME_HELD: Duration = Duration::from_secs(60);
/// How often a daemon says that it is there.
pub(crate) const HEARD_EACH: Duration = Duration::from_secs(15);

/// A host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostRow {
    /// Its name.
    pub host: String,
    /// The owner of its state folder.
    pub owner: String,
    /// The version of its daemon.
    pub version: String,
    /// When its daemon was heard first: milliseconds since 1970.
    pub first_ms: u64,
    /// When it was heard last.
    pub heard_ms: u64,
    /// Its jobs that are not over.
    pub live_jobs: u64,
}

impl HistoryStore {
    /// Notes that the daemon of this host is there.
    ///
    /// # Errors
    ///
    /// [`HistoryError::HostTaken`] if a daemon of another state folder has this name and was heard less than
    /// a minute ago.
    pub async fn hear_host(
        &self,
        host: &str,
        owner: &str,
        version: &str,
        now_ms: u64,
    ) -> Result<(), HistoryError> {
        let held_since = now_ms.saturating_sub(u64::try_from(NAME_HELD.as_millis()).unwrap_or(0));
        let database = self.database().await;
        let mut change = database.begin("noting that this host is there").await?;
        let note = SqlStatement::with(
            "INSERT INTO hosts (host, owner, version, first_ms, heard_ms) VALUES ($1, $2, $3, $4, $4) \
             ON CONFLICT (host) DO UPDATE SET owner = excluded.owner, version = excluded.version, \
               heard_ms = excluded.heard_ms \
             WHERE hosts.owner IN (excluded.owner, '') OR hosts.heard_ms < $5",
            [host.into(), owner.into(), version.into(), now_ms.into(), held_since.into()],
        );
        if change.execute(&note).await? == 1 {
            return change.commit().await;
        }
        let find =
            SqlStatement::with("SELECT owner, heard_ms FROM hosts WHERE host = $1", [host.into()]);
        let rows = change.rows(&find).await?;
        change.commit().await?;
        let holder = rows.first().map(|row| Ok((row.text(0)?, row.number(1)?))).transpose()?;
        let (owner, heard_ms) = holder.unwrap_or_default();
        let silent = Duration::from_millis(now_ms.saturating_sub(heard_ms));
        Err(HistoryError::HostTaken { host: host.to_owned(), owner, silent })
    }

    /// Frees the name of a host whose daemon ends, so that another one can take it at once.
    ///
    /// # Errors
    ///
    /// [`HistoryError`].
    pub async fn leave_host(&self, host: &str, owner: &str) -> Result<(), HistoryError> {
        let database = self.database().await;
        let mut change = database.begin("noting that this host leaves").await?;
        let leave = SqlStatement::with(
            "UPDATE hosts SET owner = '' WHERE host = $1 AND owner = $2",
            [host.into(), owner.into()],
        );
        change.execute(&leave).await?;
        change.commit().await
    }

    /// All hosts that the history knows, by name.
    ///
    /// # Errors
    ///
    /// [`HistoryError`].
    pub async fn hosts(&self) -> Result<Vec<HostRow>, HistoryError> {
        let read = SqlStatement::new(
            "SELECT hosts.host, owner, version, first_ms, heard_ms, \
               (SELECT COUNT(*) FROM jobs WHERE jobs.host = hosts.host AND ended_ms < 0) FROM hosts",
        );
        let rows = self.database().await.rows("listing hosts", &read).await?;
        let mut hosts = rows
            .iter()
            .map(|row| {
                Ok(HostRow {
                    host: row.text(0)?,
                    owner: row.text(1)?,
                    version: row.text(2)?,
                    first_ms: row.number(3)?,
                    heard_ms: row.number(4)?,
                    live_jobs: row.number(5)?,
                })
            })
            .collect::<Result<Vec<_>, HistoryError>>()?;
        // By bytes: the order of texts in PostgreSQL depends on its locale.
        hosts.sort_by(|one, other| one.host.cmp(&other.host));
        Ok(hosts)
    }
}
