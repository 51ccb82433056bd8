//! `fargate-local demo`: a cloud, a git server and six jobs on this machine.
//!
//! It plays the jobs stage by stage, as gitlab-runner does, through the real `fargate-runner`, several at
//! a time. Afterwards it checks that nothing is left. It builds nothing, and writes nothing outside a
//! temporary folder.

mod demo_display;
mod demo_page;
mod demo_run;
mod display_rows;
mod fault_rules;
mod plan;
mod progress;
mod report;
mod timeline;

use std::io;
use std::path::PathBuf;

use fargate_local_cloud::BackendChoice;
use fargate_model::id::IdError;
use fargate_terminal::{ProgressMode, TerminalCapabilities, TerminalColourMode};

use crate::backend_args::{BackendArgs, EngineFlagError};
use crate::faults;
use crate::programs::{self, MissingProgram};
use crate::signals::TerminationSignals;
use crate::test_host::{CloudStillRuns, TestHostError};
use demo_run::DemoRun;
use fault_rules::DemoFaultRules;

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
    #[command(flatten)]
    backend: BackendArgs,
    /// Rules for what goes wrong meanwhile; `fargate-local faults` explains them.
    #[arg(long, value_name = "FILE")]
    faults: Option<PathBuf>,
    /// Keep the page open after the jobs, until Ctrl-C.
    #[arg(long)]
    stay: bool,
}

/// Why the demo could not be played.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// Something is not installed or not built.
    #[error(transparent)]
    Missing(#[from] MissingProgram),
    /// A flag would have no effect.
    #[error(transparent)]
    Flags(#[from] EngineFlagError),
    /// The jobs would have no image.
    #[error(
        "the jobs of the demo need an image with the agent, bash and git; name one with --image"
    )]
    NoImage,
    /// The rules for what goes wrong cannot be used.
    #[error(transparent)]
    Faults(#[from] faults::FaultFileError),
    /// The host or its cloud did not start.
    #[error(transparent)]
    Host(#[from] TestHostError),
    /// The cloud did not end.
    #[error(transparent)]
    CloudStays(#[from] CloudStillRuns),
    /// A repository, a signal or standard output cannot be used.
    #[error("{doing}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// The address of the repository names no host: a bug of this program.
    #[error("naming the jobs")]
    Identity(#[from] IdError),
    /// Ctrl-C or SIGTERM.
    #[error("interrupted; {0}")]
    Interrupted(String),
}

fn io_error(doing: &'static str) -> impl Fn(io::Error) -> DemoError {
    move |source| DemoError::Io { doing, source }
}

/// Plays the demo. True if everything went as planned and nothing is left. With faults, true if a fault
/// explains each verdict that was not planned.
///
/// # Errors
///
/// [`DemoError`], if the demo cannot be played to its end.
pub async fn run(args: DemoArgs) -> Result<bool, DemoError> {
    let faults = args.faults.map(DemoFaultRules::read).transpose()?;
    programs::installed("git", "git")?;
    let backend = args.backend.choice()?;
    match &backend {
        BackendChoice::Processes => drop(programs::installed("bwrap", "bubblewrap")?),
        BackendChoice::Docker { image: None, .. } => return Err(DemoError::NoImage),
        BackendChoice::Docker { .. } => {}
    }
    let driver = programs::runner(args.runner.as_deref())?;
    let agent = args.backend.agent()?;
    let abilities = TerminalCapabilities::of_stdout(args.color, args.progress);
    let mut signals = TerminationSignals::catch().map_err(io_error("catching signals"))?;
    let demo = DemoRun::start(&driver, &agent, backend, faults).await?;
    let played = demo.play(abilities, &mut signals).await;
    let stay = args.stay.then_some(&mut signals);
    demo.close(played, abilities, stay).await
}
