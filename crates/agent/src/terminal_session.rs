//! A shell or a command in a terminal of its own, for a person: what is typed, what is shown, sizes and
//! signals, and how it ended.
//!
//! Nothing here serves jobs, and nothing here can be resumed: when the client leaves, the terminal is
//! hung up.

use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::Signal;
use russh::server::Msg;
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::process::Child;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::plain_exec::{KillTreeOnDrop, READ, arguments, known, refuse, report};
use crate::process::{ProcessSpec, ProcessTree};
use crate::pseudo_terminal::{PseudoTerminal, WindowSize};
use crate::stage::SHORT_GRACE;
use crate::task::AgentTask;

/// After the program has ended, its output counts as complete after this much silence. The kernel passes
/// on in a moment what a terminal still holds.
const QUIET: Duration = Duration::from_millis(250);

/// The terminal that a client asked for.
#[derive(Clone, Debug)]
pub struct TerminalRequest {
    /// The kind of terminal, for the variable `TERM`.
    pub kind: String,
    /// Its size.
    pub size: WindowSize,
}

/// Runs `command` in the user's shell, or only the shell if there is no command, in a new terminal. It
/// returns when the program ends or the client leaves.
///
/// # Errors
///
/// Returns an error if the SSH channel is closed or broken.
pub async fn serve(
    task: &AgentTask,
    channel: Channel<Msg>,
    command: Option<Vec<u8>>,
    terminal: TerminalRequest,
) -> Result<(), russh::Error> {
    let (mut read, write) = channel.split();
    let arguments = match arguments(command) {
        Ok(arguments) => arguments,
        Err(why) => return refuse(&write, why).await,
    };
    let started = PseudoTerminal::start(
        ProcessSpec {
            program: &task.environment.login_shell,
            arguments: &arguments,
            environment: task.environment.with(&[("TERM".to_owned(), terminal.kind)]),
            directory: None,
            stdin: Stdio::null(),
        },
        terminal.size,
    );
    let (terminal, mut child) = match started {
        Ok(started) => started,
        Err(error) => return refuse(&write, &format!("opening a terminal: {error}")).await,
    };
    let tree = ProcessTree::of(&child);
    let mut leave = KillTreeOnDrop(tree);
    let status = tokio::select! {
        status = run(&terminal, &write, &mut child) => Some(status),
        () = feed(&mut read, &terminal, tree) => None,
    };
    match status {
        Some(status) => {
            leave.0 = None;
            report(&write, status).await
        }
        None => {
            hang_up(terminal, tree, child).await;
            Ok(())
        }
    }
}

/// Passes on what the program writes, until it has ended and its output is complete.
async fn run(
    terminal: &PseudoTerminal,
    write: &ChannelWriteHalf<Msg>,
    child: &mut Child,
) -> std::io::Result<std::process::ExitStatus> {
    let (over, ended) = watch::channel(false);
    let wait = async {
        let status = child.wait().await;
        over.send_replace(true);
        status
    };
    tokio::join!(wait, show(terminal, write, ended)).0
}

async fn show(
    terminal: &PseudoTerminal,
    write: &ChannelWriteHalf<Msg>,
    mut ended: watch::Receiver<bool>,
) {
    let mut buffer = vec![0; READ];
    loop {
        let read = tokio::select! {
            biased;
            read = terminal.read(&mut buffer) => read,
            () = quiet_after(&mut ended) => None,
        };
        let Some(length) = read else { return };
        if write.data_bytes(buffer[..length].to_vec()).await.is_err() {
            return;
        }
    }
}

async fn quiet_after(ended: &mut watch::Receiver<bool>) {
    // The sender lives as long as this future.
    let _ = ended.wait_for(|ended| *ended).await;
    sleep(QUIET).await;
}

/// Passes on what the client types, its sizes and its signals. Returns when the client is gone.
async fn feed(read: &mut ChannelReadHalf, terminal: &PseudoTerminal, tree: Option<ProcessTree>) {
    loop {
        match read.wait().await {
            None | Some(ChannelMsg::Close) => return,
            Some(ChannelMsg::Data { data }) => {
                // If nobody reads the terminal any more, the program is about to end.
                let _ = terminal.write(&data).await;
            }
            Some(ChannelMsg::WindowChange { col_width, row_height, .. }) => {
                terminal.resize(WindowSize { columns: col_width, rows: row_height });
            }
            Some(ChannelMsg::Signal { signal }) => {
                if let (Some(tree), Some(signal)) = (tree, known(&signal)) {
                    tree.signal(signal);
                }
            }
            Some(_) => {}
        }
    }
}

/// Ends what runs in a terminal whose client is gone. An interactive shell ignores TERM, so it gets HUP.
async fn hang_up(terminal: PseudoTerminal, tree: Option<ProcessTree>, mut child: Child) {
    let signal = |signal| {
        if let Some(tree) = tree {
            tree.signal(signal);
        }
    };
    signal(Signal::SIGHUP);
    drop(terminal);
    if timeout(SHORT_GRACE, child.wait()).await.is_err() {
        signal(Signal::SIGKILL);
        let _ = child.wait().await;
    }
}
