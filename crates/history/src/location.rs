//! Where the history is kept.

use std::fmt;
use std::path::PathBuf;

use crate::HistoryError;

/// Where the history is kept.
#[derive(Clone, PartialEq, Eq)]
pub enum HistoryLocation {
    /// A file of this host. It must not be on NFS or EFS.
    Sqlite(PathBuf),
    /// A PostgreSQL database that several hosts share: its URL, perhaps with a password.
    Postgres(String),
}

impl HistoryLocation {
    /// The options of a connection to PostgreSQL.
    pub(crate) fn postgres_options(
        url: &str,
    ) -> Result<sqlx::postgres::PgConnectOptions, HistoryError> {
        let is_postgres =
            ["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme));
        let options = is_postgres.then(|| url.parse().ok()).flatten();
        options.ok_or_else(|| HistoryError::NotALocation { given: without_password(url) })
    }
}

impl fmt::Display for HistoryLocation {
    /// Writes no password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "{}", path.display()),
            Self::Postgres(url) => f.write_str(&without_password(url)),
        }
    }
}

impl fmt::Debug for HistoryLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The URL without its password and parameters; what is no URL is not shown at all.
fn without_password(url: &str) -> String {
    let Ok(mut parsed) = url::Url::parse(url) else {
        return "***".to_owned();
    };
    if parsed.password().is_some() && parsed.set_password(Some("***")).is_err() {
        return "***".to_owned();
    }
    parsed.set_query(None);
    parsed.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_shows_no_password() {
        for (url, shown) in [
            ("postgres://ci:s3cret@db/ci?password=s3cret", "postgres://ci:***@db/ci"),
            ("postgres://ci@db/ci", "postgres://ci@db/ci"),
            ("s3cret", "***"),
        ] {
            let location = HistoryLocation::Postgres(url.to_owned());
            assert_eq!(format!("{location} {location:?}"), format!("{shown} {shown}"));
        }
    }

    #[test]
    fn what_is_no_url_of_postgresql_is_refused_without_being_shown() {
        let refused = HistoryLocation::postgres_options("mysql://ci:s3cret@db/ci").unwrap_err();
        assert_eq!(
            refused.to_string(),
            "`mysql://ci:***@db/ci` is no URL of a PostgreSQL database; write it as \
             postgres://USER@HOST/DATABASE"
        );
    }
}
