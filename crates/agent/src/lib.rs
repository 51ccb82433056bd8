//! What runs inside the task: an SSH server for exactly one client key and one user, which runs
//! one script at a time in its own process group and tells how it ended.
//!
//! It forwards nothing, looks up no user and no host (a static glibc must never touch NSS), and
//! ends by itself at the idle limit and at the maximum lifetime, whatever becomes of its driver.

mod accept;
mod admission;
mod connection;
mod environment;
mod init;
mod lease;
mod memory_file;
mod output;
mod plain_exec;
mod process;
mod server;
mod session;
mod settings;
mod stage;
mod task;
mod task_end;

use std::process::ExitCode;

/// Name and version, as `fargate-agent --version` and the protocol say it.
pub const VERSION: &str = concat!("fargate-agent ", env!("CARGO_PKG_VERSION"));

/// The one argument of the server below our own process 1. Nobody else gives it.
const WITH_INIT: &str = "with-init";

/// Runs the agent until the task is to end.
///
/// As PID 1 it becomes a small reaper and runs itself again as the server: one process that waits
/// for any child *and* for its own would steal exit statuses from itself.
#[must_use]
pub fn run() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--version"] => {
            println!("{VERSION}");
            ExitCode::SUCCESS
        }
        [] if std::process::id() == 1 => init::run(),
        [] => server::run(false),
        [WITH_INIT] => server::run(true),
        _ => {
            eprintln!("error: fargate-agent takes no argument but `--version`");
            ExitCode::from(2)
        }
    }
}
