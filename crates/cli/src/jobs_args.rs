//! The arguments of `jobs`.

use clap::{Args, Subcommand};
use fargate_terminal::OutputFormat;

use crate::output_args::FormatArgs;

/// `jobs`.
#[derive(Debug, Args)]
pub struct JobsArgs {
    #[command(subcommand)]
    pub action: JobsAction,
}

/// What to do with the jobs of this host.
#[derive(Debug, Subcommand)]
pub enum JobsAction {
    /// List the jobs of this host, and those that were cleaned up a short time ago
    List(FormatArgs),
    /// Print what this host knows of one job; never a secret
    Show(JobShowArgs),
    /// Print what the containers of the job's task wrote to CloudWatch Logs; what the job's scripts
    /// write is in the job's own log
    Logs(JobLogArgs),
    /// Open a shell in the task of a running job, or run one command there; the job goes on
    Shell(JobShellArgs),
    /// Keep the task of a running job if the job fails, so that a person can look into it
    Hold(JobHoldArgs),
    /// Stop a task that is kept, before its time is over
    Release(JobName),
}

/// A job of this host.
#[derive(Debug, Args)]
pub struct JobName {
    /// The job as `jobs list` names it, for example `gl-4411`, or the beginning of its key
    #[arg(value_name = "JOB")]
    pub job: String,
}

/// `jobs show`.
#[derive(Debug, Args)]
pub struct JobShowArgs {
    #[command(flatten)]
    pub name: JobName,
    /// Print the result in this format [default: lines for people on a terminal, else JSON]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<OutputFormat>,
}

/// `jobs logs`.
#[derive(Debug, Args)]
pub struct JobLogArgs {
    #[command(flatten)]
    pub name: JobName,
    /// Go on until the task has ended
    #[arg(long, short)]
    pub follow: bool,
}

/// `jobs shell`.
#[derive(Debug, Args)]
pub struct JobShellArgs {
    #[command(flatten)]
    pub name: JobName,
    /// A command and its arguments instead of a shell, after `--`
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

/// `jobs hold`.
#[derive(Debug, Args)]
pub struct JobHoldArgs {
    #[command(flatten)]
    pub name: JobName,
    /// Keep the task for so long after the failure, for example `30m` [default: as long as
    /// `job_max_hold` of the profile allows]
    #[arg(long = "for", value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub time: Option<std::time::Duration>,
}
