//! Reads the command line, and answers it where no command is to run: help, version and mistakes.

use std::ffi::OsString;
use std::io::IsTerminal;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches};

use crate::args::RunnerCli;
use crate::exit::CommandExit;
use crate::normalize_args::{FlagNames, is_called_as_theirs, normalized};
use crate::streams::{tell, unwritten};

/// The command that was asked for.
///
/// # Errors
///
/// How the program ends, if there is no command to run. What there is to say is said.
pub fn read(line: Vec<OsString>) -> Result<RunnerCli, CommandExit> {
    let called_as_theirs = is_called_as_theirs(&line);
    let takes_command = command_taker(&line);
    let mut command = RunnerCli::command();
    // Adds the flags of clap's own, which are among the names.
    command.build();
    let line = normalized(line, &FlagNames::of(&command)).map_err(|error| {
        tell!("error: {error}");
        CommandExit::Usage
    })?;
    let parsed = command
        .try_get_matches_from_mut(line)
        .and_then(|mut matches| RunnerCli::from_arg_matches_mut(&mut matches));
    let mut cli = parsed.map_err(|error| answered(&error.format(&mut command), takes_command))?;
    cli.global.called_as_theirs = called_as_theirs;
    Ok(cli)
}

/// Which command of the line takes another command after `--`, if one does.
fn command_taker(line: &[OsString]) -> Option<&'static str> {
    let has = |name: &str| line.iter().any(|word| word == name);
    match (has("jobs") && has("shell"), has("exec")) {
        (true, _) => Some("jobs shell JOB"),
        (false, true) => Some("exec"),
        (false, false) => None,
    }
}

/// Prints what clap says. On a stream that is no terminal it may be a job's log, so what was given is
/// made harmless there.
fn answered(answer: &clap::Error, takes_command: Option<&str>) -> CommandExit {
    if answer.exit_code() == 0 {
        return match answer.print() {
            Ok(()) => CommandExit::Done,
            Err(error) => {
                tell!("error: {}", unwritten(error));
                CommandExit::NothingDone
            }
        };
    }
    if std::io::stderr().is_terminal() {
        let _ = answer.print();
    } else {
        tell!("{}", answer.render().to_string().trim_end());
    }
    let is_usage =
        matches!(answer.kind(), ErrorKind::UnknownArgument | ErrorKind::MissingRequiredArgument);
    if let (Some(taker), true) = (takes_command, is_usage) {
        tell!("hint: the command stands after `--`: `fargate-runner {taker} -- echo hello`");
    }
    CommandExit::Usage
}
