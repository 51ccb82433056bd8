//! `[history]`: where `serve` keeps what happened to jobs, and for how long.

use std::path::PathBuf;

use crate::check;
use crate::row::{number, path, text};
use crate::table::{settings_table, table_with_defaults};

settings_table! {
    /// Where `fargate-runner serve` keeps what happened to jobs, and for how long.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct HistorySettings {
        /// The file of its SQLite database, on a disk of this host: never on NFS or EFS. An absolute path.
        /// Not used if `url` is given.
        pub file: Option<PathBuf> = path(check::absolute_path)
            .or_absent("`history.db` in `state_dir`")
            .example("\"/var/lib/fargate-runner/history.db\""),
        /// A PostgreSQL database instead, which several hosts can share. The password is no part of it:
        /// PostgreSQL's own variable `PGPASSWORD`, or the file `~/.pgpass`, holds it.
        pub url: Option<String> = text(check::postgres_url)
            .or_absent("SQLite")
            .example("\"postgres://ci@db.example.org/ci?sslmode=verify-full\""),
        /// For how many days a job is kept after it was over.
        // Ours: a quarter of a year, in which a new failure can be told from an old one.
        pub keep_days: u32 = number(1, 3650).or_number(90),
        /// For how many days an entry of the audit log is kept.
        // Ours: more than a year, as auditors ask for.
        pub keep_audit_days: u32 = number(1, 3650).or_number(400),
    }
}

table_with_defaults!(HistorySettings);
