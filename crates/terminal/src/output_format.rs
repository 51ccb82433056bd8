//! In which form a command writes its data to standard output.

use std::io::IsTerminal;

/// How data is written to stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum OutputFormat {
    /// For people
    Table,
    /// One JSON document
    Json,
    /// One line for each row, without a head
    Tsv,
}

impl OutputFormat {
    /// The form that was asked for; else a table on a terminal and JSON everywhere else.
    #[must_use]
    pub fn or_default(asked: Option<Self>) -> Self {
        let default = || if std::io::stdout().is_terminal() { Self::Table } else { Self::Json };
        asked.unwrap_or_else(default)
    }
}
