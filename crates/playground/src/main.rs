//! The `fargate-local` binary: parse, run, print, exit code.

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;
use fargate_playground::{demo, faults, serve, single_job, torture};

/// Fargate Runner on this machine: a local ECS and a demo, with no AWS account.
#[derive(Debug, Parser)]
#[command(name = "fargate-local", version)]
struct PlaygroundCli {
    #[command(subcommand)]
    command: PlaygroundCommand,
}

#[derive(Debug, clap::Subcommand)]
enum PlaygroundCommand {
    Serve(serve::ServeArgs),
    Demo(demo::DemoArgs),
    Job(single_job::SingleJobArgs),
    Torture(torture::TortureArgs),
    Faults(faults::FaultsArgs),
}

fn main() -> ExitCode {
    let cli = PlaygroundCli::parse();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return report(&error),
    };
    runtime.block_on(async {
        match cli.command {
            PlaygroundCommand::Serve(args) => match serve::run(args).await {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => report(&error),
            },
            PlaygroundCommand::Faults(args) => match faults::run(args) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => report(&error),
            },
            PlaygroundCommand::Demo(args) => match demo::run(args).await {
                Ok(true) => ExitCode::SUCCESS,
                Ok(false) => ExitCode::FAILURE,
                Err(error @ demo::DemoError::Interrupted(_)) => {
                    report(&error);
                    ExitCode::from(130)
                }
                Err(error) => report(&error),
            },
            PlaygroundCommand::Job(args) => match single_job::run(args).await {
                Ok(true) => ExitCode::SUCCESS,
                Ok(false) => ExitCode::FAILURE,
                Err(error) => report(&error),
            },
            PlaygroundCommand::Torture(args) => match torture::run(args).await {
                Ok(true) => ExitCode::SUCCESS,
                Ok(false) => ExitCode::FAILURE,
                Err(error @ torture::TortureError::Interrupted) => {
                    report(&error);
                    ExitCode::from(130)
                }
                Err(error) => report(&error),
            },
        }
    })
}

/// One line with the whole chain of causes.
fn report(error: &(dyn Error + 'static)) -> ExitCode {
    eprintln!("error: {}", fargate_model::text::error_chain(error));
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        PlaygroundCli::command().debug_assert();
    }
}
