//! The arguments of all commands that print data: in which form.

use std::io::IsTerminal;

use clap::{Args, ValueEnum};
use fargate_terminal::OutputFormat;

/// In which form data is printed.
#[derive(Debug, Args)]
pub struct FormatArgs {
    /// Print the result in this format [default: a table on a terminal, else JSON]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<OutputFormat>,
}

/// In which form a list is printed: jobs, tasks, checks.
#[derive(Debug, Args)]
pub struct ListFormatArgs {
    /// Print the result in this format [default: for people on a terminal, else JSON]
    #[arg(long, short = 'o', value_name = "FORMAT")]
    format: Option<ListFormat>,
}

/// A form in which a list is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    /// For people
    Table,
    /// One JSON document
    Json,
    /// One JSON document for each entry, each on a line of its own
    Ndjson,
    /// One line for each row, without a head
    Tsv,
}

impl ListFormatArgs {
    /// The form that was asked for; else one for people on a terminal and JSON everywhere else.
    pub fn chosen(&self) -> ListFormat {
        let is_terminal = || std::io::stdout().is_terminal();
        let default = || if is_terminal() { ListFormat::Table } else { ListFormat::Json };
        self.format.unwrap_or_else(default)
    }
}
