//! A shell or a command of a person in a running task, beside the job's script: what is typed, what is
//! shown, sizes and signals, and how it ended.
//!
//! It sends no frame, so the agent does not count it as a client: it neither renews nor shortens the
//! lease of the task. It resumes nothing. Bytes pass as they are, and nothing is masked.

use fargate_config::JobTimeouts;
use fargate_model::text::duration;
use fargate_protocol::{ScriptStream, TERMINAL};
use russh::client::{Handle, Msg};
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Pty, Sig};
use tokio::sync::{mpsc, watch};
use tokio::time::{Duration, Instant, timeout, timeout_at};

use super::agent::{part, taken_within};
use super::console::{ConsoleProgress, ConsoleWriter};
use super::login::HostKeyVerifier;
use super::peer::TaskSession;

/// After an exit status, processes that still hold the output are left behind after this time.
const LINGER: Duration = Duration::from_secs(2);
/// The largest piece of output. There must be room for one before more is read. Source: RFC 4254, 5.2,
/// and `CHAN_SES_PACKET_DEFAULT` of OpenSSH.
const PIECE: usize = 64 * 1024;
/// Exit status of a person whose terminal is gone: 128 + SIGHUP.
const HUNG_UP: u8 = 129;
/// The input is UTF-8, so that an erased character is erased as a whole. Source: RFC 8160.
const MODES: &[(Pty, u32)] = &[(Pty::IUTF8, 1)];

/// A person's terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonTerminal {
    /// Its kind, as `TERM` names it.
    pub kind: String,
    /// Its size.
    pub size: PersonTerminalSize,
}

/// The size of a person's terminal, in characters and lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PersonTerminalSize {
    /// Characters in a line.
    pub columns: u32,
    /// Lines.
    pub rows: u32,
}

/// What a person wants to run in a task.
#[derive(Clone, Debug)]
pub struct SideSessionRequest {
    /// The command and its arguments. Empty for the user's shell.
    pub command: Vec<String>,
    /// The person's terminal. Without one, bytes pass as they are.
    pub terminal: Option<PersonTerminal>,
}

/// What a person asks for beside the bytes that are typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PersonOrder {
    /// The terminal has another size.
    Resized(PersonTerminalSize),
    /// The command is interrupted, where no terminal carries a Ctrl-C.
    Interrupt,
    /// The person leaves. The number is the exit status that follows from how.
    Leave(u8),
}

/// What comes from the person. Orders do not wait behind bytes that the program does not read.
#[derive(Debug)]
pub struct PersonInput {
    /// Bytes. If the channel is closed, there will be no more.
    pub typed: mpsc::Receiver<Vec<u8>>,
    /// Everything else.
    pub orders: mpsc::Receiver<PersonOrder>,
}

/// How a side session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SideSessionEnd {
    /// The program ended with this status: 128 and the number, if a signal ended it.
    Status(u8),
    /// The server ended the session without a status.
    Closed,
    /// The connection is lost, in words.
    Lost(String),
    /// The person left.
    Left(u8),
    /// Nobody reads the output any more, in words.
    Unread(String),
}

/// Why a side session was not begun.
#[derive(Debug, thiserror::Error)]
pub enum SideSessionError {
    /// The agent is from before terminals.
    #[error(
        "{agent} in the task is too old to give a terminal: build the image with the agent of this version, or run one command without a terminal, for example `... jobs shell JOB -- ps aux | cat`"
    )]
    TooOld {
        /// The agent's name and version.
        agent: String,
    },
    /// The server refuses it.
    #[error("the task's server refuses {what}")]
    Refused {
        /// What was asked for.
        what: &'static str,
    },
    /// The connection broke, or the server was silent.
    #[error("opening a session in the task: {how}")]
    Broken {
        /// What happened.
        how: String,
    },
}

/// An open side session.
pub struct SideSession {
    handle: Handle<HostKeyVerifier>,
    read: ChannelReadHalf,
    write: ChannelWriteHalf<Msg>,
    stall: Duration,
    has_terminal: bool,
}

impl SideSession {
    /// Begins a side session over the connection of `session`.
    ///
    /// # Errors
    ///
    /// Returns [`SideSessionError`] if the task cannot give what is asked for, or does not answer.
    pub async fn begin(
        session: TaskSession,
        request: &SideSessionRequest,
        timeouts: &JobTimeouts,
    ) -> Result<Self, SideSessionError> {
        let handle = match session {
            TaskSession::Agent(agent) => {
                if request.terminal.is_some() && !agent.agent.has(TERMINAL) {
                    return Err(SideSessionError::TooOld { agent: agent.agent.name });
                }
                // The conversation was needed to learn what the agent can do.
                let _ = agent.write.close().await;
                agent.handle
            }
            TaskSession::Stock(stock) => stock.handle,
        };
        let limit = timeouts.session_open;
        let opened = timeout(limit, Self::open(handle, request, timeouts.send_stall)).await;
        opened.unwrap_or_else(|_| {
            Err(SideSessionError::Broken { how: format!("no answer within {}", duration(limit)) })
        })
    }

    async fn open(
        handle: Handle<HostKeyVerifier>,
        request: &SideSessionRequest,
        stall: Duration,
    ) -> Result<Self, SideSessionError> {
        let broken = |error: russh::Error| SideSessionError::Broken { how: error.to_string() };
        let (mut read, write) = handle.channel_open_session().await.map_err(broken)?.split();
        if let Some(PersonTerminal { kind, size: PersonTerminalSize { columns, rows } }) =
            &request.terminal
        {
            write.request_pty(true, kind, *columns, *rows, 0, 0, MODES).await.map_err(broken)?;
            answered(&mut read, "a terminal").await?;
        }
        match command_line(&request.command) {
            None => {
                write.request_shell(true).await.map_err(broken)?;
                answered(&mut read, "a shell").await?;
            }
            Some(line) => {
                write.exec(true, line).await.map_err(broken)?;
                answered(&mut read, "a command").await?;
            }
        }
        Ok(Self { handle, read, write, stall, has_terminal: request.terminal.is_some() })
    }

    /// Runs until the program ends, the connection is lost or the person leaves.
    pub async fn run(self, console: &mut ConsoleWriter, input: &mut PersonInput) -> SideSessionEnd {
        let Self { handle, mut read, write, stall, has_terminal } = self;
        let PersonInput { typed, orders } = input;
        let heard = async {
            let end = hear(&mut read, console).await;
            // What has arrived is shown, however slowly somebody reads it.
            console.drained().await;
            end
        };
        let end = tokio::select! {
            end = heard => end,
            end = pass_bytes(&write, typed, stall, has_terminal) => end,
            end = pass_orders(&write, orders, stall) => end,
        };
        part(handle, read, write).await;
        end
    }
}

/// The line for the shell in the task, whose words are the given ones exactly.
fn command_line(command: &[String]) -> Option<String> {
    // Every word is quoted: a plain one could still be an assignment or an alias.
    let words: Vec<String> =
        command.iter().map(|word| format!("'{}'", word.replace('\'', r"'\''"))).collect();
    (!words.is_empty()).then(|| words.join(" "))
}

async fn answered(read: &mut ChannelReadHalf, what: &'static str) -> Result<(), SideSessionError> {
    loop {
        match read.wait().await {
            Some(ChannelMsg::Success) => return Ok(()),
            Some(ChannelMsg::Failure | ChannelMsg::Close | ChannelMsg::Eof) => {
                return Err(SideSessionError::Refused { what });
            }
            None => {
                let how = "the connection ended".to_owned();
                return Err(SideSessionError::Broken { how });
            }
            Some(_) => {}
        }
    }
}

/// Passes on what the program writes, and returns how it ended.
async fn hear(read: &mut ChannelReadHalf, console: &mut ConsoleWriter) -> SideSessionEnd {
    let mut progress = console.progress();
    let mut status: Option<(u8, Instant)> = None;
    loop {
        if let Some(why) = until_room(console, &mut progress).await {
            return SideSessionEnd::Unread(why);
        }
        let message = match status {
            None => read.wait().await,
            Some((status, deadline)) => match timeout_at(deadline, read.wait()).await {
                Ok(message) => message,
                Err(_) => return SideSessionEnd::Status(status),
            },
        };
        let put = match message {
            Some(ChannelMsg::Data { data }) => console.put(ScriptStream::Stdout, data.to_vec()),
            Some(ChannelMsg::ExtendedData { data, ext: 1 }) => {
                console.put(ScriptStream::Stderr, data.to_vec())
            }
            Some(ChannelMsg::ExitStatus { exit_status }) => {
                let exit = u8::try_from(exit_status).unwrap_or(u8::MAX);
                status = Some((exit, Instant::now() + LINGER));
                continue;
            }
            Some(ChannelMsg::ExitSignal { signal_name, .. }) => {
                status = Some((128 + signal_number(&signal_name), Instant::now() + LINGER));
                continue;
            }
            Some(ChannelMsg::Close) => {
                return status.map_or(SideSessionEnd::Closed, |(s, _)| SideSessionEnd::Status(s));
            }
            None => {
                let lost = || SideSessionEnd::Lost("the connection ended".to_owned());
                return status.map_or_else(lost, |(status, _)| SideSessionEnd::Status(status));
            }
            Some(_) => continue,
        };
        if let Err(error) = put {
            return SideSessionEnd::Unread(error.to_string());
        }
    }
}

/// Waits until the console has room for a piece of output. Returns why there will be none, if so.
async fn until_room(
    console: &ConsoleWriter,
    progress: &mut watch::Receiver<ConsoleProgress>,
) -> Option<String> {
    loop {
        if let Some(failure) = progress.borrow_and_update().closed {
            return Some(failure.to_string());
        }
        if console.has_room(PIECE) {
            return None;
        }
        if progress.changed().await.is_err() {
            return Some("the output is closed".to_owned());
        }
    }
}

/// Passes on what the person types. Returns when a terminal is gone or the connection is lost.
async fn pass_bytes(
    write: &ChannelWriteHalf<Msg>,
    typed: &mut mpsc::Receiver<Vec<u8>>,
    stall: Duration,
    has_terminal: bool,
) -> SideSessionEnd {
    while let Some(bytes) = typed.recv().await {
        // A program may take its time to read. A connection that is lost has deadlines of its own.
        if let Err(error) = write.data_bytes(bytes).await {
            return SideSessionEnd::Lost(error.to_string());
        }
    }
    if has_terminal {
        return SideSessionEnd::Left(HUNG_UP);
    }
    match taken_within(stall, write.eof()).await {
        Ok(()) => std::future::pending().await,
        Err(how) => SideSessionEnd::Lost(how),
    }
}

/// Passes on everything else. Returns when the person leaves or the connection is lost.
async fn pass_orders(
    write: &ChannelWriteHalf<Msg>,
    orders: &mut mpsc::Receiver<PersonOrder>,
    stall: Duration,
) -> SideSessionEnd {
    while let Some(order) = orders.recv().await {
        let sent = match order {
            PersonOrder::Resized(PersonTerminalSize { columns, rows }) => {
                taken_within(stall, write.window_change(columns, rows, 0, 0)).await
            }
            PersonOrder::Interrupt => taken_within(stall, write.signal(Sig::INT)).await,
            PersonOrder::Leave(status) => return SideSessionEnd::Left(status),
        };
        if let Err(how) = sent {
            return SideSessionEnd::Lost(how);
        }
    }
    std::future::pending().await
}

/// The number of a signal on Linux, whatever the machine in the task.
fn signal_number(signal: &Sig) -> u8 {
    match signal {
        Sig::HUP => 1,
        Sig::INT => 2,
        Sig::QUIT => 3,
        Sig::ILL => 4,
        Sig::ABRT => 6,
        Sig::FPE => 8,
        Sig::KILL => 9,
        Sig::USR1 => 10,
        Sig::SEGV => 11,
        Sig::PIPE => 13,
        Sig::ALRM => 14,
        Sig::TERM => 15,
        // OpenSSH names no other signal: it adds `@openssh.com` to those that RFC 4254 lacks.
        Sig::Custom(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_command_arrive_as_they_are() {
        let line = |words: &[&str]| {
            command_line(&words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(line(&[]), None);
        assert_eq!(line(&["A=b", "-l"]).as_deref(), Some("'A=b' '-l'"));
        let quoted = line(&["sh", "-c", "echo 'a'\nexit 3"]);
        assert_eq!(quoted.as_deref(), Some("'sh' '-c' 'echo '\\''a'\\''\nexit 3'"));
    }
}
