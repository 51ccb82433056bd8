//! The arguments of `efs`.

use clap::{Args, Subcommand};

use crate::output_args::FormatArgs;

/// `efs`.
#[derive(Debug, Args)]
pub struct EfsArgs {
    /// Give this project its folders in volumes with `separation = "project"`, beside the projects that
    /// profiles name and those that have folders already; may be given several times
    #[arg(long = "project", global = true, value_name = "GROUP/PROJECT")]
    pub projects: Vec<String>,
    #[command(subcommand)]
    pub action: EfsAction,
}

/// What to do on EFS.
#[derive(Debug, Subcommand)]
pub enum EfsAction {
    /// Say what is missing or differs, and change nothing; the exit code is 0 if nothing is missing, else 1
    Plan,
    /// Make what is missing: access points, policies and mount targets; nothing is ever deleted
    Apply(EfsApplyArgs),
    /// Print what each volume has, and who may mount it
    Show(FormatArgs),
}

/// `efs apply`.
#[derive(Debug, Args)]
pub struct EfsApplyArgs {
    /// Do not ask before something is made
    #[arg(long)]
    pub yes: bool,
    /// Print the calls as JSON, and make none of them
    #[arg(long, conflicts_with = "yes")]
    pub print: bool,
}
