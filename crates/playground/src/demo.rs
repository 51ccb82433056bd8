//! `fargate-local demo`: a cloud, a git server and six jobs on this machine.
//!
//! The jobs are played stage by stage, as gitlab-runner would, through the real `fargate-runner`,
//! several at a time. Afterwards everything that must be gone is looked for. Nothing is built
//! here and nothing outside a temporary folder is written.

mod demo_display;
mod display_rows;
mod fault_rules;
mod host;
mod plan;
mod progress;
mod report;
mod terminal_region;
mod timeline;

use std::io;
use std::path::PathBuf;

use fargate_local_cloud::ServeError;
use fargate_model::id::IdError;

use crate::faults;
use crate::programs::{self, MissingProgram};
use crate::signals::TerminationSignals;
use crate::terminal::{ProgressMode, TerminalCapabilities, TerminalColourMode};
use fault_rules::DemoFaultRules;
use host::DemoHost;

/// Play six jobs on a local cloud, and check that nothing is left.
#[derive(Clone, Debug, clap::Args)]
pub struct DemoArgs {
    /// The fargate-runner to play with; the one beside this program unless given.
    #[arg(long, value_name = "FILE")]
    runner: Option<PathBuf>,
    /// When to use colours.
    #[arg(long, value_enum, value_name = "WHEN", default_value = "auto")]
    color: TerminalColourMode,
    /// How to show progress: in place on a terminal, or as lines.
    #[arg(long, value_enum, value_name = "HOW", default_value = "auto")]
    progress: ProgressMode,
    /// Rules for what goes wrong meanwhile; `fargate-local faults` explains them.
    #[arg(long, value_name = "FILE")]
    faults: Option<PathBuf>,
}

/// Why the demo could not be played.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// Something is not installed or not built.
    #[error(transparent)]
    Missing(#[from] MissingProgram),
    /// The rules for what goes wrong cannot be used.
    #[error(transparent)]
    Faults(#[from] faults::FaultFileError),
    /// The cloud did not start.
    #[error("starting the local cloud")]
    Cloud(#[from] ServeError),
    /// The cloud did not end.
    #[error(
        "the local cloud still ran {seconds} s after it was told to end; look for `bwrap` processes"
    )]
    CloudStays {
        /// How long it was waited for.
        seconds: u64,
    },
    /// A folder, a repository, a signal or standard output cannot be used.
    #[error("{doing}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// The repository's address names no host. A bug of this program.
    #[error("naming the jobs")]
    Identity(#[from] IdError),
    /// Ctrl-C or SIGTERM.
    #[error("interrupted; {0}")]
    Interrupted(String),
}

fn io_error(doing: &'static str) -> impl Fn(io::Error) -> DemoError {
    move |source| DemoError::Io { doing, source }
}

/// Plays the demo; true if everything went as planned, or with faults, if no job came to a verdict
/// that none of them explains and nothing is left.
///
/// # Errors
///
/// [`DemoError`]
pub async fn run(args: DemoArgs) -> Result<bool, DemoError> {
    let faults = args.faults.map(DemoFaultRules::read).transpose()?;
    programs::installed("git", "git")?;
    programs::installed("bwrap", "bubblewrap")?;
    let driver = programs::runner(args.runner.as_deref())?;
    let agent = programs::agent()?;
    let abilities = TerminalCapabilities::of_stdout(args.color, args.progress);
    let mut signals = TerminationSignals::catch().map_err(io_error("catching signals"))?;
    let house = DemoHost::build(&driver, agent, faults).await?;
    let played = house.play(abilities, &mut signals).await;
    house.close(played, abilities).await
}
