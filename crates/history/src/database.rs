//! The two databases behind one face: statements with bound values, rows, and one writer at a time.
//!
//! The text of a statement is ours; whatever comes from outside is bound. It knows no table.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use futures_util::TryStreamExt;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgPool, PgRow};
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{AssertSqlSafe, Postgres, Row, Sqlite, Transaction};

use crate::HistoryError;

/// How long one statement may take. Ours: far more than any question needs over 100,000 jobs.
pub(crate) const STATEMENT_LIMIT: Duration = Duration::from_secs(30);

/// A value that is bound.
#[derive(Clone, Debug)]
pub(crate) enum SqlValue {
    Integer(i64),
    Text(Option<String>),
}

impl From<u64> for SqlValue {
    /// What no database can hold becomes the largest number that it can hold.
    fn from(value: u64) -> Self {
        Self::Integer(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<i64> for SqlValue {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<bool> for SqlValue {
    fn from(value: bool) -> Self {
        Self::Integer(i64::from(value))
    }
}

impl From<Option<u64>> for SqlValue {
    /// "Not known" is -1, so that it can be sorted and compared in both databases alike.
    fn from(value: Option<u64>) -> Self {
        value.map_or(Self::Integer(-1), Self::from)
    }
}

impl From<&str> for SqlValue {
    fn from(value: &str) -> Self {
        Self::Text(Some(storable(value)))
    }
}

impl From<Option<&str>> for SqlValue {
    fn from(value: Option<&str>) -> Self {
        Self::Text(value.map(storable))
    }
}

/// PostgreSQL holds no NUL in a text.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// A statement and its values.
#[derive(Clone, Debug, Default)]
pub(crate) struct SqlStatement {
    text: String,
    values: Vec<SqlValue>,
}

impl SqlStatement {
    /// A statement that begins with this text.
    pub(crate) fn new(text: &'static str) -> Self {
        Self { text: text.to_owned(), values: Vec::new() }
    }

    /// Adds text of ours.
    pub(crate) fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Adds a value at this place.
    pub(crate) fn bind(&mut self, value: impl Into<SqlValue>) -> &mut Self {
        self.values.push(value.into());
        self.text.push('$');
        self.text.push_str(&self.values.len().to_string());
        self
    }

    /// Adds values in parentheses, parted by commas.
    pub(crate) fn bind_list<V: Into<SqlValue>>(
        &mut self,
        values: impl IntoIterator<Item = V>,
    ) -> &mut Self {
        for (index, value) in values.into_iter().enumerate() {
            self.push(if index == 0 { "(" } else { ", " }).bind(value);
        }
        self.push(")")
    }

    /// A statement with values at the places that its text names.
    pub(crate) fn with<const N: usize>(text: &'static str, values: [SqlValue; N]) -> Self {
        Self { text: text.to_owned(), values: values.into() }
    }
}

/// One row of an answer.
pub(crate) enum DataRow {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl DataRow {
    fn get<'r, T>(&'r self, column: usize) -> Result<T, HistoryError>
    where
        T: sqlx::Decode<'r, Sqlite> + sqlx::Type<Sqlite>,
        T: sqlx::Decode<'r, Postgres> + sqlx::Type<Postgres>,
    {
        let value = match self {
            Self::Sqlite(row) => row.try_get(column),
            Self::Postgres(row) => row.try_get(column),
        };
        value.map_err(HistoryError::of("reading a row of the history"))
    }

    /// A number; a negative one counts as 0.
    pub(crate) fn number(&self, column: usize) -> Result<u64, HistoryError> {
        Ok(self.known_number(column)?.unwrap_or(0))
    }

    /// A number, or `None` where it is not known.
    pub(crate) fn known_number(&self, column: usize) -> Result<Option<u64>, HistoryError> {
        let value: Option<i64> = self.get(column)?;
        Ok(value.and_then(|value| u64::try_from(value).ok()))
    }

    /// A number with its sign.
    pub(crate) fn integer(&self, column: usize) -> Result<i64, HistoryError> {
        self.get(column)
    }

    /// A text.
    pub(crate) fn text(&self, column: usize) -> Result<String, HistoryError> {
        self.get(column)
    }

    /// A text, or `None` where it is not known.
    pub(crate) fn known_text(&self, column: usize) -> Result<Option<String>, HistoryError> {
        self.get(column)
    }
}

/// Binds the values of a statement, for either database.
macro_rules! bound {
    ($statement:expr) => {{
        let statement: &SqlStatement = $statement;
        // The text is put together by this crate alone, and its values are bound.
        let mut query = sqlx::query(AssertSqlSafe(statement.text.clone()));
        for value in statement.values.clone() {
            query = match value {
                SqlValue::Integer(value) => query.bind(value),
                SqlValue::Text(value) => query.bind(value),
            };
        }
        query
    }};
}

/// Which file stands at a path: its device and its number there. `None` if there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileIdentity(Option<(u64, u64)>);

impl FileIdentity {
    pub(crate) fn of(path: &Path) -> Self {
        let about = std::fs::metadata(path).ok();
        Self(about.map(|about| (about.dev(), about.ino())))
    }
}

/// The connections to a database.
#[derive(Clone, Debug)]
pub(crate) enum HistoryDatabase {
    /// One connection writes, a few read beside it.
    Sqlite {
        writer: SqlitePool,
        readers: SqlitePool,
        /// The file that was opened.
        file: FileIdentity,
        /// Its folder.
        folder: FileIdentity,
    },
    Postgres(PgPool),
}

impl HistoryDatabase {
    /// All rows of an answer.
    pub(crate) async fn rows(
        &self,
        doing: &'static str,
        statement: &SqlStatement,
    ) -> Result<Vec<DataRow>, HistoryError> {
        let mut rows = Vec::new();
        self.for_each_row(doing, statement, |row| {
            rows.push(row);
            Ok(())
        })
        .await?;
        Ok(rows)
    }

    /// Gives each row of an answer to `take`, so that a long answer needs no memory.
    pub(crate) async fn for_each_row(
        &self,
        doing: &'static str,
        statement: &SqlStatement,
        mut take: impl FnMut(DataRow) -> Result<(), HistoryError>,
    ) -> Result<(), HistoryError> {
        let refused = HistoryError::of(doing);
        let reading = async {
            match self {
                Self::Sqlite { readers, .. } => {
                    let mut rows = bound!(statement).fetch(readers);
                    while let Some(row) = rows.try_next().await.map_err(&refused)? {
                        take(DataRow::Sqlite(row))?;
                    }
                }
                Self::Postgres(pool) => {
                    let mut rows = bound!(statement).fetch(pool);
                    while let Some(row) = rows.try_next().await.map_err(&refused)? {
                        take(DataRow::Postgres(row))?;
                    }
                }
            }
            Ok(())
        };
        within_limit(doing, reading).await
    }

    /// Begins a transaction that writes. No other writer is at work until it ends.
    pub(crate) async fn begin(
        &self,
        doing: &'static str,
    ) -> Result<WriteTransaction, HistoryError> {
        let beginning = async {
            let begun = match self {
                Self::Sqlite { writer, .. } => {
                    FileTransaction::begin(writer).await.map(OpenTransaction::Sqlite)
                }
                Self::Postgres(pool) => pool.begin().await.map(OpenTransaction::Postgres),
            };
            begun.map_err(HistoryError::of(doing))
        };
        let open = within_limit(doing, beginning).await?;
        Ok(WriteTransaction { doing, open })
    }

    /// Whether the file of an SQLite database was removed, or another one took its place. What is written then
    /// goes nowhere.
    pub(crate) fn is_lost(&self, path: &Path) -> bool {
        matches!(self, Self::Sqlite { file, .. } if *file != FileIdentity::of(path))
    }

    /// Whether the folder of an SQLite database is away: a disk that was unmounted may come back.
    pub(crate) fn is_folder_lost(&self, path: &Path) -> bool {
        let now = path.parent().map(FileIdentity::of);
        matches!(self, Self::Sqlite { folder, .. } if Some(*folder) != now)
    }

    /// Whether this is PostgreSQL.
    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// Whether the connections were ended.
    pub(crate) fn is_closed(&self) -> bool {
        match self {
            Self::Sqlite { writer, .. } => writer.is_closed(),
            Self::Postgres(pool) => pool.is_closed(),
        }
    }

    /// Ends all connections.
    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite { writer, readers, .. } => {
                readers.close().await;
                writer.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

enum OpenTransaction {
    Sqlite(FileTransaction),
    Postgres(Transaction<'static, Postgres>),
}

/// A transaction of SQLite. If it does not end well, its connection is closed: after a full disk nobody knows
/// whether SQLite has undone it already, and the next one could not begin.
struct FileTransaction {
    connection: PoolConnection<Sqlite>,
    is_committed: bool,
}

impl FileTransaction {
    async fn begin(writer: &SqlitePool) -> Result<Self, sqlx::Error> {
        let mut begun = Self { connection: writer.acquire().await?, is_committed: false };
        // It reads first and writes later, so it must be the only writer from the start.
        sqlx::query("BEGIN IMMEDIATE").execute(&mut *begun.connection).await?;
        Ok(begun)
    }

    async fn commit(mut self) -> Result<(), sqlx::Error> {
        sqlx::query("COMMIT").execute(&mut *self.connection).await?;
        self.is_committed = true;
        Ok(())
    }
}

impl Drop for FileTransaction {
    fn drop(&mut self) {
        if !self.is_committed {
            self.connection.close_on_drop();
        }
    }
}

/// A transaction that writes. Dropping it undoes what it did.
pub(crate) struct WriteTransaction {
    doing: &'static str,
    open: OpenTransaction,
}

impl WriteTransaction {
    /// Runs a statement; returns how many rows it changed.
    pub(crate) async fn execute(&mut self, statement: &SqlStatement) -> Result<u64, HistoryError> {
        let refused = HistoryError::of(self.doing);
        let running = async {
            Ok(match &mut self.open {
                OpenTransaction::Sqlite(open) => bound!(statement)
                    .execute(&mut *open.connection)
                    .await
                    .map_err(refused)?
                    .rows_affected(),
                OpenTransaction::Postgres(open) => {
                    bound!(statement).execute(&mut **open).await.map_err(refused)?.rows_affected()
                }
            })
        };
        within_limit(self.doing, running).await
    }

    /// All rows of an answer.
    pub(crate) async fn rows(
        &mut self,
        statement: &SqlStatement,
    ) -> Result<Vec<DataRow>, HistoryError> {
        let refused = HistoryError::of(self.doing);
        let running = async {
            Ok(match &mut self.open {
                OpenTransaction::Sqlite(open) => {
                    let rows = bound!(statement)
                        .fetch_all(&mut *open.connection)
                        .await
                        .map_err(refused)?;
                    rows.into_iter().map(DataRow::Sqlite).collect()
                }
                OpenTransaction::Postgres(open) => {
                    let rows = bound!(statement).fetch_all(&mut **open).await.map_err(refused)?;
                    rows.into_iter().map(DataRow::Postgres).collect()
                }
            })
        };
        within_limit(self.doing, running).await
    }

    /// Makes everything that was done last.
    pub(crate) async fn commit(self) -> Result<(), HistoryError> {
        let refused = HistoryError::of(self.doing);
        let ending = async {
            match self.open {
                OpenTransaction::Sqlite(open) => open.commit().await,
                OpenTransaction::Postgres(open) => open.commit().await,
            }
            .map_err(refused)
        };
        within_limit(self.doing, ending).await
    }

    /// Whether this is PostgreSQL.
    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self.open, OpenTransaction::Postgres(_))
    }
}

async fn within_limit<T>(
    doing: &'static str,
    work: impl Future<Output = Result<T, HistoryError>>,
) -> Result<T, HistoryError> {
    let ended = tokio::time::timeout(STATEMENT_LIMIT, work).await;
    ended.unwrap_or(Err(HistoryError::Slow { doing, within: STATEMENT_LIMIT }))
}
