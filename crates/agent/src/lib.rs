//! The agent: the program in the task. It is an SSH server for one client key and one user. It runs
//! one script at a time in a process group of its own, and reports how the script ended.
//!
//! It forwards no connections. It looks up no users and no hosts, because a static glibc must not
//! use NSS. It ends by itself at the idle limit and at the end of its lifetime, even if its driver
//! never comes back.

mod accept;
mod connection;
mod environment;
mod health;
mod host_proof;
mod init;
mod keep;
mod lease;
mod login_places;
mod memory_file;
mod output;
mod plain_exec;
mod process;
mod pseudo_terminal;
mod secret_files;
mod server;
mod session;
mod settings;
mod stage;
mod task;
mod task_credentials;
mod task_end;
mod terminal_session;
mod trace_search;
mod wipe;
mod writable_mounts;

use std::process::ExitCode;

/// Name and version, as shown by `fargate-agent --version` and sent to the driver.
pub const VERSION: &str = concat!("fargate-agent ", env!("CARGO_PKG_VERSION"));

/// The argument that process 1 gives to the server. Nobody else uses it.
const WITH_INIT: &str = "with-init";

/// Runs the agent until the task ends.
///
/// As process 1 it starts itself again as the server, and only reaps. One process cannot do both:
/// if it waits for any child, it takes the exit statuses of its own scripts away from itself.
#[must_use]
pub fn run() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    if words.next().is_some_and(|word| word == pseudo_terminal::IN_TERMINAL) {
        return pseudo_terminal::become_program(words);
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--version"] => {
            println!("{VERSION}");
            ExitCode::SUCCESS
        }
        ["--health"] => health::run(),
        [] => run_task(),
        [WITH_INIT] => server::run(true),
        _ => {
            eprintln!("error: the only arguments of fargate-agent are `--version` and `--health`");
            ExitCode::from(2)
        }
    }
}

/// Runs the task's part of this process, and leaves no secret file behind.
fn run_task() -> ExitCode {
    if let Err(error) = secret_files::place() {
        let source = std::error::Error::source(&error);
        let cause = source.map(|source| format!(": {source}")).unwrap_or_default();
        eprintln!("error: {error}{cause}");
        return ExitCode::from(server::BAD_SETTINGS);
    }
    let code = if std::process::id() == 1 { init::run() } else { server::run(false) };
    secret_files::remove();
    code
}
