//! The `fargate-runner` binary: parse, wire, print, exit code.

mod args;
mod config_command;
mod custom_command;
mod exec_command;
mod log;
mod panic;
mod status;
mod streams;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};

fn main() -> ExitCode {
    panic::guard(|| {
        let cli = Cli::parse();
        match cli.command {
            Command::Custom(custom) => custom_command::run(&cli.global, &custom),
            Command::Config(config) => config_command::run(&cli.global, &config),
            Command::Exec(exec) => exec_command::run(&cli.global, &exec),
        }
    })
}
