//! A conversation with a stock SSH server over an open connection: one constant command, the
//! program that it starts, and its answers.
//!
//! The command never changes and holds no secret. What to do comes over its stdin, completely or
//! not at all. It cannot resume after a cut.
//!
//! The script's own shell runs `stock_start.sh`. Everything that can be done elsewhere is done by
//! `stock.sh`, in an environment of its own.

use std::sync::LazyLock;
use std::time::Duration;

use fargate_config::JobTimeouts;
use fargate_mask::SharedMasker;
use fargate_model::random;
use russh::client::{Handle, Msg};
use russh::{Channel, ChannelMsg};
use tokio::time::timeout;

use super::agent::FAREWELL;
use super::login::{HostKeyVerifier, LoginError, SshConnection, broken};
use super::marker::{FilteredOutput, MAX_BEFORE, StartMarker};

/// The two programs, without comments and indentation.
static START: LazyLock<String> = LazyLock::new(|| compact(include_str!("stock_start.sh")));
static HELPER: LazyLock<String> = LazyLock::new(|| compact(include_str!("stock.sh")));
/// What the script's shell does: it runs [`START`], and then what that has left.
const EVALUATE: &str = r#"\eval "$1"; \eval "$fr_script""#;
/// All names that [`START`] calls. If the image exports a function of such a name, a `bash` would
/// call that function; any other `sh` prefers its own.
const OWN_NAMES: [&str; 5] = ["eval", "exec", "exit", "set", "unset"];
const STEP: &str = "the first command";
/// Longest answer to `ready`, in bytes.
const MAX_ANSWER: usize = 4096;

/// What the task of a stock server was found to have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StockServerFeatures {
    /// Whether it has the configured shell.
    pub shell: bool,
    /// Whether a script can be ended as a whole, and the next `run` finds it.
    pub group: bool,
    /// Whether the task ends itself at its deadline.
    pub watchdog: bool,
}

/// What the task is told before its first script.
#[derive(Clone, Debug)]
pub struct StockTaskSettings {
    /// The task ends after this time.
    pub lifetime: Duration,
    /// The task ends if no client is connected for this long.
    pub idle: Duration,
    /// The shell for which scripts are written.
    pub shell: String,
}

/// A conversation with a stock SSH server whose host key is proven.
pub struct StockSession {
    pub(super) handle: Handle<HostKeyVerifier>,
    user: String,
    /// The server's name for itself.
    pub server: String,
    pub(super) windows: StockTimeouts,
    pub(super) masker: SharedMasker,
}

/// What the program is told with each script.
#[derive(Clone, Copy, Debug)]
pub(super) struct StockTimeouts {
    /// Longest time until the server opens a session.
    pub open: Duration,
    /// How long a former script has when the next one begins.
    pub next_stage_grace: Duration,
    /// How long the server may accept nothing of what is sent.
    pub send: Duration,
    /// How long a script runs after its client is gone.
    pub client_gone: Duration,
}

fn compact(program: &str) -> String {
    let lines = program.lines().map(str::trim_start);
    let lines: Vec<_> = lines.filter(|line| !line.starts_with('#')).collect();
    lines.join("\n")
}

/// The command for `shell`. It runs the program, and then what the program has read.
pub(super) fn command(shell: &str) -> String {
    let (start, helper) = (START.as_str(), HELPER.as_str());
    // Settings in a login shell's files, for example IFS or `set -u`, do not affect the program.
    // Variables that they export do.
    let (clean, option) = match shell {
        "bash" => {
            let hidden = OWN_NAMES.map(|name| format!(" -u BASH_FUNC_{name}%%")).concat();
            (format!("/usr/bin/env{hidden} bash --norc"), " --norc")
        }
        shell => (shell.to_owned(), ""),
    };
    format!("exec {clean} -c '{EVALUATE}' {shell} '{start}' '{helper}'{option}")
}

impl StockSession {
    pub(super) fn new(connection: SshConnection, timeouts: &JobTimeouts) -> Self {
        let SshConnection { handle, user, server, masker, .. } = connection;
        let windows = StockTimeouts {
            open: timeouts.session_open,
            send: timeouts.send_stall,
            next_stage_grace: timeouts.next_stage_grace,
            client_gone: timeouts.client_gone,
        };
        Self { handle, user, server, windows, masker }
    }

    pub(super) async fn execute(&self, shell: &str) -> Result<Channel<Msg>, russh::Error> {
        let channel = self.handle.channel_open_session().await?;
        // Do not wait for the answer. A refusal is seen later.
        channel.exec(true, command(shell)).await?;
        Ok(channel)
    }

    /// Starts the watchdog in the task, and finds out what the task has.
    ///
    /// # Errors
    ///
    /// Returns [`LoginError::NoShell`] if the login shell did not run our program,
    /// [`LoginError::NoSuchShell`] if the configured shell is missing, and the error of the
    /// connection if it breaks.
    pub async fn ready(
        &self,
        terms: &StockTaskSettings,
        limit: Duration,
    ) -> Result<StockServerFeatures, LoginError> {
        let broken = |error: &dyn std::error::Error| broken(STEP, error, &self.masker);
        let token = random::token().map_err(|error| broken(&error))?;
        let request = format!(
            "ready {token} {} {} {}\n",
            terms.lifetime.as_secs(),
            terms.idle.as_secs(),
            terms.shell
        );
        let asked = async {
            let channel = self.execute("sh").await.map_err(|error| broken(&error))?;
            channel.data_bytes(request).await.map_err(|error| broken(&error))?;
            self.answer(channel, token.as_str()).await
        };
        match timeout(limit, asked).await {
            Err(_) => Err(LoginError::Stalled { step: STEP, within: limit }),
            Ok(Ok(found)) if !found.shell => {
                Err(LoginError::NoSuchShell { shell: terms.shell.clone() })
            }
            Ok(found) => found,
        }
    }

    async fn answer(
        &self,
        mut channel: Channel<Msg>,
        token: &str,
    ) -> Result<StockServerFeatures, LoginError> {
        let no_shell = |how: String| LoginError::NoShell { user: self.user.clone(), how };
        let mut marker = StartMarker::new(token);
        let mut errors = Vec::new();
        let mut text = Vec::new();
        let mut status = None;
        loop {
            match channel.wait().await {
                Some(ChannelMsg::Data { data }) => match marker.pass(data.to_vec()) {
                    FilteredOutput::Nothing => {}
                    FilteredOutput::Bytes(bytes) => text.extend(bytes),
                    FilteredOutput::TooMuch => {
                        let how =
                            format!("it printed more than {MAX_BEFORE} bytes before our program");
                        return Err(no_shell(how));
                    }
                },
                Some(ChannelMsg::ExtendedData { data, .. }) if errors.len() < 1000 => {
                    errors.extend_from_slice(&data);
                }
                Some(ChannelMsg::ExitStatus { exit_status }) => status = Some(exit_status),
                Some(ChannelMsg::Failure) => {
                    return Err(no_shell("the server refuses commands".to_owned()));
                }
                Some(ChannelMsg::Close) | None => {
                    return Err(no_shell(unusual(&self.masker, status, &errors, marker.before())));
                }
                Some(_) => {}
            }
            if text.len() > MAX_ANSWER {
                return Err(no_shell(format!("its answer has more than {MAX_ANSWER} bytes")));
            }
            if text.ends_with(b"end\n") {
                let has = |word: &str| text.split(|b| *b == b'\n').any(|l| l == word.as_bytes());
                let (shell, group, watchdog) = (has("shell"), has("group"), has("watchdog"));
                return Ok(StockServerFeatures { shell, group, watchdog });
            }
        }
    }

    /// Ends the conversation properly, within a second.
    pub async fn close(self) {
        let handle = self.handle;
        let _ = timeout(FAREWELL, async {
            let _ = handle.disconnect(russh::Disconnect::ByApplication, "", "").await;
            let _ = handle.await;
        })
        .await;
    }
}

/// Describes what came instead of our program's first word.
pub(super) fn unusual(
    masker: &SharedMasker,
    status: Option<u32>,
    errors: &[u8],
    output: &[u8],
) -> String {
    let ended = match status {
        Some(status) => format!("it ended with {status}"),
        None => "it ended".to_owned(),
    };
    let said = if errors.is_empty() { output } else { errors };
    match String::from_utf8_lossy(said).trim() {
        "" => format!("{ended} and said nothing"),
        said => format!("{ended} and said \"{}\"", masker.within(said, 200)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_short_and_quoted_without_comments_and_the_same_for_every_script() {
        let command = command("bash");
        for program in [&*START, &*HELPER] {
            assert_eq!(program.matches('\'').count(), 0);
            assert!(program.lines().all(|line| !line.trim_start().starts_with('#')));
        }
        assert_eq!(command.matches('\'').count(), 6);
        assert!(command.len() < 8 * 1024, "{}", command.len());
    }

    #[test]
    fn what_a_login_shell_said_instead_is_quoted_and_cut() {
        insta::assert_snapshot!(unusual(&SharedMasker::default(), Some(127), b"sh: 1: exec: sh: not found\n", b""), @r#"it ended with 127 and said "sh: 1: exec: sh: not found""#);
        insta::assert_snapshot!(unusual(&SharedMasker::default(), Some(1), b"", b""), @"it ended with 1 and said nothing");
        insta::assert_snapshot!(unusual(&SharedMasker::default(), None, b"", b"\x1b[31mno"), @r#"it ended and said "\x1b[31mno""#);
    }
}
