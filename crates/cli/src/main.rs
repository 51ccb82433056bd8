//! The `fargate-runner` binary: reads the command line, runs the command, ends with its exit code.
//!
//! Here, and in the modules of this crate, stands how a command is asked for and what it says. What it
//! does belongs to the libraries.

mod args;
mod audit_command;
mod audit_output;
mod check_args;
mod check_command;
mod check_files;
mod check_output;
mod check_probe;
mod command_line;
mod completion_command;
mod config_command;
mod custom_command;
mod definition_command;
mod definition_output;
mod efs_args;
mod efs_command;
mod efs_output;
mod exec_command;
mod exit;
mod file_size;
mod folder_owner;
mod history_rows;
mod hold_command;
mod host_history;
mod iam_policy_args;
mod iam_policy_command;
mod image_command;
mod import_stack_command;
mod jobs_args;
mod jobs_command;
mod jobs_context;
mod jobs_output;
mod journaling;
mod kept_command;
mod kept_words;
mod log;
mod log_line;
mod log_sink;
mod normalize_args;
mod output_args;
mod panic;
mod password_input;
mod person_action;
mod reap_hints;
mod reap_output;
mod registry_secret_command;
mod registry_secret_output;
mod serve_args;
mod serve_command;
mod serve_daemon;
mod serve_settings;
mod served_host;
mod service_notice;
mod shell_command;
mod shell_input;
mod signals;
mod status;
mod streams;
mod tasks_command;
mod tasks_list_command;
mod tasks_output;
mod tasks_screen;
mod tasks_site;
mod tasks_watch;

use std::process::ExitCode;

use args::{RunnerCli, RunnerCommand};
use exit::CommandExit;

fn main() -> ExitCode {
    file_size::fail_instead_of_ending();
    // No system refuses it; and if one did, a job that runs is worth more.
    let _ = fargate_state::host::keep_memory_private();
    panic::guard(|| {
        let cli = command_line::read(std::env::args_os().collect());
        cli.map_or_else(|exit| exit, |cli| run(&cli)).into()
    })
}

fn run(RunnerCli { global, command }: &RunnerCli) -> CommandExit {
    match command {
        RunnerCommand::Custom(custom) => custom_command::run(global, custom),
        RunnerCommand::Config(config) => config_command::run(global, config),
        RunnerCommand::Check(check) => check_command::run(global, check),
        RunnerCommand::Exec(exec) => exec_command::run(global, exec),
        RunnerCommand::Jobs(jobs) => jobs_command::run(global, jobs),
        RunnerCommand::Tasks(tasks) => tasks_command::run(global, tasks),
        RunnerCommand::RegistrySecret(secret) => registry_secret_command::run(global, secret),
        RunnerCommand::TaskDefinition(definition) => definition_command::run(global, definition),
        RunnerCommand::Efs(efs) => efs_command::run(global, efs),
        RunnerCommand::IamPolicy(policy) => iam_policy_command::run(global, policy),
        RunnerCommand::Serve(serve) => serve_command::run(global, serve),
        RunnerCommand::Image(image) => image_command::run(global, image),
        RunnerCommand::Pause(pause) => hold_command::pause(global, pause),
        RunnerCommand::Drain(drain) => hold_command::drain(global, drain),
        RunnerCommand::Resume => hold_command::resume(global),
        RunnerCommand::Completion(completion) => completion_command::run(completion),
    }
}
