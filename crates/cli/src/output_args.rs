//! The argument of all commands that print data: in which form.

use clap::Args;
use fargate_terminal::OutputFormat;

/// In which form data is printed.
#[derive(Debug, Args)]
pub struct FormatArgs {
    /// Print the result in this format [default: a table on a terminal, else JSON]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<OutputFormat>,
}
