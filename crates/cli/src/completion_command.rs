//! `completion`: prints a script by which a shell completes commands and flags. It names no job and asks nobody.

use clap::CommandFactory;
use clap_complete::{Shell, generate};

use crate::args::{CompletionArgs, RunnerCli, ShellName};
use crate::exit::CommandExit;
use crate::streams::{tell, to_stdout, unwritten};

/// Runs it.
pub fn run(args: &CompletionArgs) -> CommandExit {
    let shell = match args.shell {
        ShellName::Bash => Shell::Bash,
        ShellName::Zsh => Shell::Zsh,
        ShellName::Fish => Shell::Fish,
    };
    let mut script = Vec::new();
    generate(shell, &mut RunnerCli::command(), "fargate-runner", &mut script);
    match to_stdout(String::from_utf8_lossy(&script).trim_end()) {
        Ok(()) => CommandExit::Done,
        Err(error) => {
            tell!("error: {}", unwritten(error));
            CommandExit::NothingDone
        }
    }
}
