//! What SQLite and PostgreSQL do not do alike: how connections are made, and what protects the audit log.
//! All other SQL of this crate is the same for both.

use std::path::Path;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{
    SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};

use crate::database::{FileIdentity, HistoryDatabase, STATEMENT_LIMIT, SqlStatement};
use crate::{HistoryError, HistoryLocation};

/// How long a writer waits for another process that holds the database. Ours; whoever writes tries again.
const BUSY_LIMIT: Duration = Duration::from_secs(2);
/// How long somebody waits for a free connection. Ours.
const CONNECTION_LIMIT: Duration = Duration::from_secs(5);
/// How long a connection to PostgreSQL may hold a transaction and do nothing. Ours: only a process that stands
/// still does so, and until then no other host can write.
const IDLE_LIMIT: Duration = Duration::from_secs(60);
/// Connections that read. Ours: two cores answer no more at once.
const READERS: u32 = 4;
/// Memory for pages of each connection to SQLite, in KiB. Ours.
const CACHE_KIB: u32 = 8 * 1024;
/// The advisory lock of PostgreSQL that is held while the schema is changed. Any number of ours.
pub(crate) const SCHEMA_LOCK: i64 = 0x6661_7267_6174;

impl HistoryDatabase {
    /// Connects. An SQLite database is made if there is none.
    pub(crate) async fn connect(location: &HistoryLocation) -> Result<Self, HistoryError> {
        match location {
            HistoryLocation::Sqlite(path) => {
                make_private(path)?;
                Self::connect_to_file(path).await
            }
            HistoryLocation::Postgres(url) => Self::connect_to_server(url).await,
        }
    }

    /// Connects to a database that is there. An SQLite database is not made.
    pub(crate) async fn connect_to_present(
        location: &HistoryLocation,
    ) -> Result<Self, HistoryError> {
        match location {
            HistoryLocation::Sqlite(path) if !path.exists() => {
                Err(HistoryError::Absent { location: location.to_string() })
            }
            HistoryLocation::Sqlite(path) => Self::connect_to_file(path).await,
            HistoryLocation::Postgres(url) => Self::connect_to_server(url).await,
        }
    }

    async fn connect_to_file(path: &Path) -> Result<Self, HistoryError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .busy_timeout(BUSY_LIMIT)
            .pragma("cache_size", format!("-{CACHE_KIB}"))
            .row_buffer_size(1024);
        let writes = options
            .clone()
            .auto_vacuum(SqliteAutoVacuum::Incremental)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal);
        let refused = HistoryError::of("opening the history");
        let pool = || SqlitePoolOptions::new().acquire_timeout(CONNECTION_LIMIT);
        let writer = pool().max_connections(1).connect_with(writes).await;
        let writer = writer.map_err(&refused)?;
        let readers = pool().max_connections(READERS);
        let readers = readers.connect_lazy_with(options.pragma("query_only", "ON"));
        let folder = FileIdentity::of(path.parent().unwrap_or(path));
        Ok(Self::Sqlite { writer, readers, file: FileIdentity::of(path), folder })
    }

    async fn connect_to_server(url: &str) -> Result<Self, HistoryError> {
        let options = server_options(url)?;
        let pool = PgPoolOptions::new()
            .max_connections(READERS + 1)
            .acquire_timeout(CONNECTION_LIMIT)
            .connect_with(options)
            .await;
        Ok(Self::Postgres(pool.map_err(HistoryError::of("connecting to the history"))?))
    }

    /// Looks through an SQLite database for damage. PostgreSQL looks after itself.
    ///
    /// # Errors
    ///
    /// [`HistoryError::Damaged`] if there is some.
    pub(crate) async fn check(&self) -> Result<(), HistoryError> {
        let doing = "checking the history";
        let Self::Sqlite { writer, .. } = self else { return Ok(()) };
        let found: String = sqlx::query_scalar("PRAGMA quick_check(1)")
            .fetch_one(writer)
            .await
            .map_err(HistoryError::of(doing))?;
        match found.as_str() {
            "ok" => Ok(()),
            _ => Err(HistoryError::Damaged {
                doing,
                source: Some(Box::new(sqlx::Error::Protocol(found))),
            }),
        }
    }

    /// Gives freed pages of an SQLite file back, some at a time.
    pub(crate) async fn give_back(&self) -> Result<(), HistoryError> {
        let Self::Sqlite { writer, .. } = self else { return Ok(()) };
        let given = sqlx::query("PRAGMA incremental_vacuum(2000)").execute(writer).await;
        given.map(drop).map_err(HistoryError::of("giving room of the history back"))
    }
}

/// How to connect to PostgreSQL, and for how long it may wait for us.
fn server_options(url: &str) -> Result<PgConnectOptions, HistoryError> {
    let limits = [
        ("statement_timeout", STATEMENT_LIMIT),
        ("idle_in_transaction_session_timeout", IDLE_LIMIT),
    ];
    Ok(HistoryLocation::postgres_options(url)?
        .application_name("fargate-runner")
        .options(limits.map(|(name, limit)| (name, limit.as_millis().to_string()))))
}

/// Creates the file with mode 0600: SQLite gives its other files the same mode.
fn make_private(path: &Path) -> Result<(), HistoryError> {
    use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
    let refused = |doing| {
        let path = path.to_owned();
        move |source| HistoryError::File { doing, path, source }
    };
    if let Some(folder) = path.parent().filter(|folder| !folder.exists()) {
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(refused("making the folder of"))?;
    }
    let opened = std::fs::OpenOptions::new().append(true).create(true).mode(0o600).open(path);
    opened.map(drop).map_err(refused("opening"))
}

/// Makes the audit log append-only: nothing changes an entry, and only entries up to
/// `audit_state.pruned_through` can be removed.
pub(crate) fn audit_guard(is_postgres: bool) -> Vec<SqlStatement> {
    let texts: &[&'static str] = if is_postgres {
        &[
            "CREATE FUNCTION audit_guard() RETURNS trigger LANGUAGE plpgsql AS $guard$ BEGIN \
               IF TG_OP = 'DELETE' AND OLD.sequence <= (SELECT pruned_through FROM audit_state) THEN \
                 RETURN OLD; END IF; \
               RAISE EXCEPTION 'the audit log is append-only'; END $guard$",
            "CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE ON audit \
             FOR EACH ROW EXECUTE FUNCTION audit_guard()",
        ]
    } else {
        &[
            "CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit BEGIN \
               SELECT RAISE(ABORT, 'the audit log is append-only'); END",
            "CREATE TRIGGER audit_is_not_removed BEFORE DELETE ON audit \
             WHEN OLD.sequence > (SELECT pruned_through FROM audit_state) BEGIN \
               SELECT RAISE(ABORT, 'the audit log is append-only'); END",
        ]
    };
    texts.iter().map(|text| SqlStatement::new(text)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_asks_for_the_limit_of_idle_transactions() {
        let options = server_options("postgres://ci@127.0.0.1/ci").unwrap();
        let given = options.get_options().unwrap_or_default();
        assert!(given.contains("idle_in_transaction_session_timeout=60000"), "{given}");
    }
}
