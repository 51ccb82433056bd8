//! Answers a plain SSH `exec` request, as `sshd` does, so that a person can run `ssh task command`
//! to look for an error.
//!
//! Nothing here serves jobs. The command has no terminal, which `terminal_session` gives, and cannot be
//! resumed.

use std::process::Stdio;

use fargate_model::text::escape_within;
use nix::sys::signal::Signal;
use russh::server::Msg;
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Sig};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::ChildStdin;

use crate::process::{ProcessSpec, ProcessTree, start};
use crate::stage::SHORT_GRACE;
use crate::task::AgentTask;

const STDERR: Option<u32> = Some(1);
/// Bytes read at a time.
pub const READ: usize = 16 * 1024;
/// Exit status if the command could not be started, as a shell reports it.
const CANNOT_START: u32 = 126;

/// Runs `command` in the user's shell, or only the shell if there is no command. It returns when
/// the command ends or the client leaves, and ends every process of the command.
///
/// A command that does not read its input also delays its own output.
///
/// # Errors
///
/// Returns an error if the SSH channel is closed or broken.
pub async fn serve(
    task: &AgentTask,
    channel: Channel<Msg>,
    command: Option<Vec<u8>>,
) -> Result<(), russh::Error> {
    let (mut read, write) = channel.split();
    let arguments = match arguments(command) {
        Ok(arguments) => arguments,
        Err(why) => return refuse(&write, why).await,
    };
    let started = start(ProcessSpec {
        program: &task.environment.login_shell,
        arguments: &arguments,
        environment: task.environment.with(&[]),
        directory: None,
        stdin: Stdio::piped(),
    });
    let mut child = match started {
        Ok(child) => child,
        Err(error) => return refuse(&write, &error.to_string()).await,
    };
    let tree = ProcessTree::of(&child);
    let mut leave = KillTreeOnDrop(tree);
    let stdin = child.stdin.take();
    let stdout = child.stdout.take();
    let stderr = child.stderr.take();
    let output = async {
        tokio::join!(pump(stdout, &write, None), pump(stderr, &write, STDERR));
        child.wait().await
    };
    let status = tokio::select! {
        status = output => Some(status),
        () = feed(&mut read, stdin, tree) => None,
    };
    match status {
        Some(status) => {
            leave.0 = None;
            report(&write, status).await
        }
        None => {
            end(tree, child).await;
            Ok(())
        }
    }
}

/// The shell's arguments for `command`, or for no command.
///
/// # Errors
///
/// In words, if the command is no text.
pub fn arguments(command: Option<Vec<u8>>) -> Result<Vec<String>, &'static str> {
    match command.map(String::from_utf8) {
        None => Ok(Vec::new()),
        Some(Ok(command)) => Ok(vec!["-c".to_owned(), command]),
        Some(Err(_)) => Err("the command must be UTF-8"),
    }
}

/// Kills the command's processes when it is dropped, however the session ends.
pub struct KillTreeOnDrop(pub Option<ProcessTree>);

impl Drop for KillTreeOnDrop {
    fn drop(&mut self) {
        if let Some(tree) = self.0 {
            tree.signal(Signal::SIGKILL);
        }
    }
}

/// Tells the client why nothing was started, and ends the session.
///
/// # Errors
///
/// Returns an error if the SSH channel is closed or broken.
pub async fn refuse(write: &ChannelWriteHalf<Msg>, why: &str) -> Result<(), russh::Error> {
    write.extended_data_bytes(1, format!("error: {}\n", escape_within(why, 200))).await?;
    write.exit_status(CANNOT_START).await?;
    write.eof().await?;
    write.close().await
}

async fn pump(
    pipe: Option<impl AsyncRead + Unpin>,
    write: &ChannelWriteHalf<Msg>,
    stream: Option<u32>,
) {
    let Some(mut pipe) = pipe else { return };
    let mut buffer = vec![0; READ];
    while let Ok(n @ 1..) = pipe.read(&mut buffer).await {
        let bytes = buffer[..n].to_vec();
        let sent = match stream {
            None => write.data_bytes(bytes).await,
            Some(stream) => write.extended_data_bytes(stream, bytes).await,
        };
        if sent.is_err() {
            return;
        }
    }
}

/// Forwards the client's bytes and signals. Returns when the client is gone.
async fn feed(
    read: &mut ChannelReadHalf,
    mut stdin: Option<ChildStdin>,
    tree: Option<ProcessTree>,
) {
    loop {
        match read.wait().await {
            None | Some(ChannelMsg::Close) => return,
            Some(ChannelMsg::Eof) => stdin = None,
            Some(ChannelMsg::Data { data }) => {
                if let Some(pipe) = &mut stdin
                    && pipe.write_all(&data).await.is_err()
                {
                    stdin = None;
                }
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

/// The signal that a client may send by this name.
pub fn known(signal: &Sig) -> Option<Signal> {
    match signal {
        Sig::TERM => Some(Signal::SIGTERM),
        Sig::INT => Some(Signal::SIGINT),
        Sig::HUP => Some(Signal::SIGHUP),
        Sig::KILL => Some(Signal::SIGKILL),
        Sig::QUIT => Some(Signal::SIGQUIT),
        Sig::USR1 => Some(Signal::SIGUSR1),
        _ => None,
    }
}

/// Tells the client how the program ended, and ends the session.
///
/// # Errors
///
/// Returns an error if the SSH channel is closed or broken.
pub async fn report(
    write: &ChannelWriteHalf<Msg>,
    status: std::io::Result<std::process::ExitStatus>,
) -> Result<(), russh::Error> {
    use std::os::unix::process::ExitStatusExt;
    let status = status.ok();
    let code = status.and_then(|status| status.code().or(status.signal().map(|n| 128 + n)));
    write.exit_status(code.and_then(|code| u32::try_from(code).ok()).unwrap_or(255)).await?;
    write.eof().await?;
    write.close().await
}

async fn end(tree: Option<ProcessTree>, mut child: tokio::process::Child) {
    if let Some(tree) = tree {
        tree.signal(Signal::SIGTERM);
    }
    if tokio::time::timeout(SHORT_GRACE, child.wait()).await.is_err() {
        if let Some(tree) = tree {
            tree.signal(Signal::SIGKILL);
        }
        let _ = child.wait().await;
    }
}
