//! Mends what can be mended in a damaged database, and sets aside the tables of a PostgreSQL database that cannot.
//!
//! It loses nothing: what is set aside stays readable under another name.

use std::path::PathBuf;
use std::time::SystemTime;

use crate::HistoryError;
use crate::damaged::file_time;
use crate::database::{DataRow, HistoryDatabase, SqlStatement, WriteTransaction};
use crate::dialect::SCHEMA_LOCK;
use crate::schema::TABLES;

impl HistoryDatabase {
    /// Looks whether all tables can be read.
    ///
    /// # Errors
    ///
    /// [`HistoryError::Damaged`] if one is missing.
    pub(crate) async fn check_tables(&self) -> Result<(), HistoryError> {
        for table in TABLES {
            let mut read = SqlStatement::new("SELECT 1 FROM ");
            read.push(table).push(" LIMIT 1");
            self.rows("reading the tables of the history", &read).await?;
        }
        Ok(())
    }

    /// Makes the rows that count jobs, events and entries of the audit log agree with what they count. Returns
    /// whether anything had to be changed.
    ///
    /// # Errors
    ///
    /// [`HistoryError`]; then nothing was changed.
    pub(crate) async fn repair_counters(&self) -> Result<bool, HistoryError> {
        let mut change = self.begin("counting what the history holds").await?;
        if change.is_postgres() {
            let lock = "LOCK TABLE counters, audit_state IN ACCESS EXCLUSIVE MODE";
            change.execute(&SqlStatement::new(lock)).await?;
        }
        let is_counted = repair_count(&mut change).await?;
        let is_audited = repair_audit_end(&mut change).await?;
        change.commit().await?;
        Ok(is_counted || is_audited)
    }

    /// Moves the tables of a damaged PostgreSQL database into a schema of their own, where people can read
    /// them. `None` if another daemon has mended it meanwhile.
    ///
    /// # Errors
    ///
    /// [`HistoryError`]; then nothing was moved. This user may lack the right to make a schema.
    pub(crate) async fn set_aside(&self) -> Result<Option<PathBuf>, HistoryError> {
        let mut change = self.begin("setting the damaged tables of the history aside").await?;
        let lock = "SELECT pg_advisory_xact_lock($1)";
        change.rows(&SqlStatement::with(lock, [SCHEMA_LOCK.into()])).await?;
        let mut present = Vec::new();
        for table in TABLES.into_iter().chain(["history_schema"]) {
            let find = "SELECT COUNT(*) FROM pg_class WHERE oid = to_regclass($1)";
            let found = change.rows(&SqlStatement::with(find, [table.into()])).await?;
            if found.first().is_some_and(|row| row.number(0).is_ok_and(|found| found > 0)) {
                present.push(table);
            }
        }
        if present.len() > TABLES.len() {
            change.commit().await?;
            return Ok(None);
        }
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        // A name that needs no quotes.
        let time = file_time(now.as_millis()).to_ascii_lowercase().replace('.', "_");
        let name = format!("fargate_runner_damaged_{time}");
        change.execute(SqlStatement::new("CREATE SCHEMA ").push(&name)).await?;
        for table in present {
            let mut shift = SqlStatement::new("ALTER TABLE ");
            shift.push(table).push(" SET SCHEMA ").push(&name);
            change.execute(&shift).await?;
        }
        let find = "SELECT 1 FROM pg_proc WHERE proname = 'audit_guard' \
                    AND pronamespace = current_schema()::regnamespace";
        if !change.rows(&SqlStatement::new(find)).await?.is_empty() {
            let mut shift = SqlStatement::new("ALTER FUNCTION audit_guard() SET SCHEMA ");
            change.execute(shift.push(&name)).await?;
        }
        change.commit().await?;
        Ok(Some(PathBuf::from(name)))
    }
}

/// A number that every reader understands; 0 if there is none.
async fn greatest(change: &mut WriteTransaction, ask: &'static str) -> Result<u64, HistoryError> {
    let rows = change.rows(&SqlStatement::new(ask)).await?;
    Ok(rows.first().and_then(|row| row.known_number(0).ok()).flatten().unwrap_or(0))
}

async fn repair_count(change: &mut WriteTransaction) -> Result<bool, HistoryError> {
    let jobs = greatest(change, "SELECT MAX(number) FROM jobs").await?;
    let events = greatest(change, "SELECT MAX(sequence) FROM events").await?;
    let rows = change.rows(&SqlStatement::new("SELECT jobs, events FROM counters")).await?;
    let count = |row: &DataRow| Some((row.known_number(0).ok()??, row.known_number(1).ok()??));
    let counted: Vec<_> = rows.iter().map(count).collect();
    if matches!(counted[..], [Some((j, e))] if j >= jobs && e >= events) {
        return Ok(false);
    }
    change.execute(&SqlStatement::new("DELETE FROM counters")).await?;
    let make = "INSERT INTO counters (jobs, events) VALUES ($1, $2)";
    change.execute(&SqlStatement::with(make, [jobs.into(), events.into()])).await?;
    Ok(true)
}

/// The end of the audit log stands in a row of its own, so that entries which were removed there are missed. A
/// row that is lost begins again at the last entry.
async fn repair_audit_end(change: &mut WriteTransaction) -> Result<bool, HistoryError> {
    let last = greatest(change, "SELECT MAX(sequence) FROM audit").await?;
    let read = "SELECT last_sequence, last_hash, pruned_through FROM audit_state";
    let rows = change.rows(&SqlStatement::new(read)).await?;
    let end = |row: &DataRow| {
        let pruned = row.known_number(2).ok()??;
        Some((row.known_number(0).ok()??, row.text(1).ok()?, pruned))
    };
    let ends: Vec<_> = rows.iter().map(end).collect();
    if matches!(&ends[..], [Some((end, ..))] if *end >= last) {
        return Ok(false);
    }
    let find = SqlStatement::with("SELECT hash FROM audit WHERE sequence = $1", [last.into()]);
    let hashes = change.rows(&find).await?;
    let hash = hashes.first().map(|row| row.text(0)).transpose()?.unwrap_or_default();
    let first = greatest(change, "SELECT MIN(sequence) FROM audit").await?;
    change.execute(&SqlStatement::new("DELETE FROM audit_state")).await?;
    let make =
        "INSERT INTO audit_state (last_sequence, last_hash, pruned_through) VALUES ($1, $2, $3)";
    let values = [last.into(), hash.as_str().into(), first.saturating_sub(1).into()];
    change.execute(&SqlStatement::with(make, values)).await?;
    Ok(true)
}
