//! The `fargate-runner` binary: parse, wire, print, exit code.

mod args;
mod check_files;
mod config_command;
mod custom_command;
mod exec_command;
mod exit;
mod file_size;
mod folder_owner;
mod hold_command;
mod job_choice;
mod log;
mod log_line;
mod log_sink;
mod normalize_args;
mod panic;
mod reap_output;
mod status;
mod streams;
mod table;
mod tasks_command;

use std::ffi::OsString;
use std::process::ExitCode;

use args::{RunnerCli, RunnerCommand};
use clap::Parser;
use clap::error::ErrorKind;
use streams::tell;

/// Exit code of a command line that makes no sense, where no stage is asked for; clap's own.
const USAGE: u8 = 2;

/// In colours on a terminal. Elsewhere it may be a job's log, and what was given is foreign text.
fn told_by_clap(error: &clap::Error) {
    let words = error.render();
    let given = std::env::args_os().any(|word| word == "exec");
    let is_usage =
        matches!(error.kind(), ErrorKind::UnknownArgument | ErrorKind::MissingRequiredArgument);
    if std::io::IsTerminal::is_terminal(&std::io::stderr()) {
        let _ = error.print();
    } else {
        tell!("{}", words.to_string().trim_end());
    }
    if given && is_usage {
        tell!("hint: the command stands after `--`: `fargate-runner exec -- echo hello`");
    }
}

fn main() -> ExitCode {
    file_size::fail_instead_of_ending();
    // It is refused nowhere; and where it would be, a job that runs is worth more.
    let _ = fargate_state::host::keep_memory_private();
    panic::guard(|| {
        let line: Vec<OsString> = std::env::args_os().collect();
        let called_as_theirs = normalize_args::is_called_as_theirs(&line);
        let line = match normalize_args::normalized(line) {
            Ok(line) => line,
            Err(error) => {
                tell!("error: {error}");
                return ExitCode::from(panic::system_code().unwrap_or(USAGE));
            }
        };
        let mut cli = match RunnerCli::try_parse_from(line) {
            Ok(cli) => cli,
            Err(asked) if asked.exit_code() == 0 => asked.exit(),
            Err(error) => {
                told_by_clap(&error);
                return ExitCode::from(panic::system_code().unwrap_or(USAGE));
            }
        };
        cli.global.called_as_theirs = called_as_theirs;
        match cli.command {
            RunnerCommand::Custom(custom) => custom_command::run(&cli.global, &custom),
            RunnerCommand::Config(config) => config_command::run(&cli.global, &config),
            RunnerCommand::Exec(exec) => exec_command::run(&cli.global, &exec),
            RunnerCommand::Tasks(tasks) => tasks_command::run(&cli.global, &tasks),
            RunnerCommand::Pause(pause) => hold_command::pause(&cli.global, &pause),
            RunnerCommand::Drain(drain) => hold_command::drain(&cli.global, &drain),
            RunnerCommand::Resume => hold_command::resume(&cli.global),
        }
    })
}
