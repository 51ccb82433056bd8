//! Databases of the history, and SQL that somebody else runs there.

use std::path::Path;
use std::process::Command;

use fargate_history::HistoryLocation;
use fargate_tests::{new_postgres_database, run_postgres_sql};

/// A new database; `None` after saying why there is none.
pub(crate) async fn new_database() -> Option<HistoryLocation> {
    new_postgres_database().await.map(HistoryLocation::Postgres)
}

/// Runs SQL against a database, as somebody else would.
pub(crate) fn run_sql(location: &HistoryLocation, sql: &str) -> Result<(), String> {
    match location {
        HistoryLocation::Postgres(url) => run_postgres_sql(url, sql),
        HistoryLocation::Sqlite(path) => run_sqlite(path, sql),
    }
}

/// Python brings SQLite along.
fn run_sqlite(path: &Path, sql: &str) -> Result<(), String> {
    let script = "import sqlite3, sys\n\
                  with sqlite3.connect(sys.argv[1], timeout=10) as base: base.executescript(sys.argv[2])";
    let ran = Command::new("python3").args(["-c", script]).arg(path).arg(sql).output();
    let ran = ran.map_err(|error| error.to_string())?;
    if ran.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&ran.stderr).into_owned())
    }
}
