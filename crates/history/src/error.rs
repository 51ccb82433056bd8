//! Why the history could not be used, by what the caller can do next.

use std::time::Duration;

/// Why the history could not be used. Jobs run on without it.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// A newer version made the database. It is left as it is.
    #[error(
        "{location} has schema {found}, which a newer fargate-runner made; this version knows schemas up to \
         {known}. Install that version again, or set `[history] file` to a new file"
    )]
    NewerSchema {
        /// The database.
        location: String,
        /// Its schema.
        found: u64,
        /// The newest one that is known here.
        known: u64,
    },
    /// The database is damaged. Whoever writes may replace it.
    #[error("{doing}: the database is damaged")]
    Damaged {
        /// What was being done.
        doing: &'static str,
        /// What the database said.
        #[source]
        source: Option<Box<sqlx::Error>>,
    },
    /// Another process holds the database. Try again.
    #[error("{doing}: another process holds the database")]
    Busy {
        /// What was being done.
        doing: &'static str,
        /// What the database said.
        #[source]
        source: Box<sqlx::Error>,
    },
    /// The disk is full. Try again once there is room.
    #[error("{doing}: the disk of the database is full")]
    Full {
        /// What was being done.
        doing: &'static str,
        /// What the database said.
        #[source]
        source: Box<sqlx::Error>,
    },
    /// The connections were closed, because a damaged database was being replaced.
    #[error("{doing}: the connections to the history are closed")]
    Closed {
        /// What was being done.
        doing: &'static str,
    },
    /// The folder of the database is away, or is another one than at the start. Nothing is made in its place.
    #[error("the folder of the history at {location} is lost; check its disk")]
    FolderLost {
        /// The database.
        location: String,
    },
    /// There is no history at this place.
    #[error("there is no history at {location}; `fargate-runner serve` makes one")]
    Absent {
        /// The place.
        location: String,
    },
    /// The database cannot be reached or refuses. Try again.
    #[error("{doing}")]
    Refused {
        /// What was being done.
        doing: &'static str,
        /// What the database said.
        #[source]
        source: Box<sqlx::Error>,
    },
    /// The database did not answer in time.
    #[error("{doing}: no answer within {} s", within.as_secs())]
    Slow {
        /// What was being done.
        doing: &'static str,
        /// The time limit.
        within: Duration,
    },
    /// A file beside the database cannot be used.
    #[error("{doing} {}", path.display())]
    File {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: std::path::PathBuf,
        /// The error of the operating system.
        #[source]
        source: std::io::Error,
    },
    /// The text is no location of a database.
    #[error(
        "`{given}` is no URL of a PostgreSQL database; write it as postgres://USER@HOST/DATABASE"
    )]
    NotALocation {
        /// The URL without its password.
        given: String,
    },
    /// Another daemon keeps the history of this host.
    #[error(
        "another daemon with the state folder of owner {owner} keeps the history of host {host}: it was heard \
         {} s ago. Give one of the two hosts another name, or stop one",
        silent.as_secs()
    )]
    HostTaken {
        /// The host's name.
        host: String,
        /// The owner of the other daemon's state folder.
        owner: String,
        /// How long ago it was heard.
        silent: Duration,
    },
    /// A row holds what this version cannot read.
    #[error("reading {what} from the history")]
    Unreadable {
        /// What was to be read.
        what: &'static str,
        /// Why not.
        #[source]
        source: serde_json::Error,
    },
}

/// Primary result codes of SQLite, <https://www.sqlite.org/rescode.html>.
const SQLITE_BUSY: i32 = 5;
const SQLITE_LOCKED: i32 = 6;
const SQLITE_CORRUPT: i32 = 11;
const SQLITE_FULL: i32 = 13;
const SQLITE_NOTADB: i32 = 26;

/// What PostgreSQL says of tables that are missing, of those that are there already although its schema says that
/// they are not, and of pages that it cannot read. Source: PostgreSQL, "Appendix A. PostgreSQL Error Codes".
const POSTGRES_DAMAGE: [&str; 5] = ["42P01", "42703", "42P07", "XX001", "XX002"];

/// Whether the error says that the database does not hold what this program put there. A number that is given
/// twice comes from a counter that was lost.
fn is_logical_damage(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(said) => {
            let is_postgres = said.try_downcast_ref::<sqlx::postgres::PgDatabaseError>().is_some();
            let code = said.code();
            let is_known = code.is_some_and(|code| POSTGRES_DAMAGE.contains(&code.as_ref()));
            said.is_unique_violation() || is_postgres && is_known
        }
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::ColumnNotFound(_) => true,
        _ => false,
    }
}

impl HistoryError {
    /// Sorts what the database said.
    pub(crate) fn of(doing: &'static str) -> impl Fn(sqlx::Error) -> Self {
        move |error| {
            let code = match &error {
                sqlx::Error::Database(said) => {
                    said.try_downcast_ref::<sqlx::sqlite::SqliteError>().and_then(primary_code)
                }
                _ => None,
            };
            if let sqlx::Error::PoolClosed = error {
                return Self::Closed { doing };
            }
            let is_logical_damage = is_logical_damage(&error);
            let source = Box::new(error);
            match code {
                _ if is_logical_damage => Self::Damaged { doing, source: Some(source) },
                Some(SQLITE_CORRUPT | SQLITE_NOTADB) => {
                    Self::Damaged { doing, source: Some(source) }
                }
                Some(SQLITE_BUSY | SQLITE_LOCKED) => Self::Busy { doing, source },
                Some(SQLITE_FULL) => Self::Full { doing, source },
                _ => Self::Refused { doing, source },
            }
        }
    }

    /// Whether the database must be repaired or replaced before it can be used.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::Closed { .. })
    }
}

fn primary_code(error: &sqlx::sqlite::SqliteError) -> Option<i32> {
    use sqlx::error::DatabaseError;
    let extended: i32 = error.code()?.parse().ok()?;
    Some(extended & 0xff)
}
