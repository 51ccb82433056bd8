//! One call of a driver: a process in its own group, its two pipes, and the way it is ended.
//!
//! As gitlab-runner does, a call is over when the process has ended *and* every holder of its
//! pipes has closed them: a driver that leaves a process behind with inherited output hangs here,
//! until the call's limit ends it. Nothing is parsed here and no verdict is made.

use std::ffi::OsString;
use std::future::Future;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep_until};

use super::control::CallStopReason;

/// How the pipes of a call are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PipeReadSpeed {
    /// Largest number of bytes that is read at once.
    pub piece: usize,
    /// Pause after each piece.
    pub pause: Duration,
}

impl Default for PipeReadSpeed {
    /// As fast as they are written.
    fn default() -> Self {
        Self { piece: 64 * 1024, pause: Duration::ZERO }
    }
}

/// How long a process may take to obey each signal.
#[derive(Clone, Copy, Debug)]
pub struct KillTimes {
    /// From SIGTERM to SIGKILL: `graceful_kill_timeout`.
    pub graceful: Duration,
    /// From SIGKILL until the process is given up: `force_kill_timeout`.
    pub force: Duration,
}

impl Default for KillTimes {
    /// gitlab-runner's own values (`executors/custom/config.go`).
    fn default() -> Self {
        Self { graceful: Duration::from_secs(600), force: Duration::from_secs(10) }
    }
}

/// What is started: the words of a command, its whole environment and its folder.
#[derive(Clone, Debug)]
pub struct DriverInvocation {
    /// Program and arguments.
    pub argv: Vec<OsString>,
    /// The environment, in order; a later name replaces an earlier one.
    pub environment: Vec<(OsString, OsString)>,
    /// Working directory.
    pub folder: PathBuf,
}

/// One of the two streams of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriverOutputStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DriverProcessExit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// It could not be started; the text says why.
    NotStarted(String),
    /// It was still there after SIGKILL and its wait.
    GivenUp,
}

/// A signal that a process group was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SentSignal {
    /// Which one.
    pub signal: Signal,
    /// How long after the start of the call.
    pub after: Duration,
}

/// A call that is over.
#[derive(Clone, Debug)]
pub struct EndedCall {
    /// How the process ended.
    pub exit: DriverProcessExit,
    /// The signals that were sent, in order.
    pub signals: Vec<SentSignal>,
    /// How long the call took, until its pipes were closed.
    pub took: Duration,
    /// Why it was ended from outside, if it was.
    pub stopped: Option<CallStopReason>,
}

/// Runs `invocation` to its end; when `stop` resolves, its group gets the kill sequence.
///
/// `output` sees the bytes of both streams as they are read.
pub async fn run(
    invocation: &DriverInvocation,
    stop: impl Future<Output = CallStopReason>,
    kill: KillTimes,
    reading: PipeReadSpeed,
    mut output: impl FnMut(DriverOutputStream, &[u8]),
) -> EndedCall {
    let begun = Instant::now();
    let mut child = match start(invocation) {
        Ok(child) => child,
        Err(error) => {
            let exit = DriverProcessExit::NotStarted(error.to_string());
            return EndedCall { exit, signals: Vec::new(), took: begun.elapsed(), stopped: None };
        }
    };
    let group = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
    let mut stdout = child.stdout.take();
    let mut stderr = child.stderr.take();
    let (mut from_stdout, mut from_stderr) = (vec![0; reading.piece], vec![0; reading.piece]);
    let mut reads_again = begun;
    let mut status = None;
    let mut killing = KillSequence { group, kill, begun, signals: Vec::new(), next: None };
    let mut stopped = None;
    let mut stop = pin!(stop);

    while status.is_none() || stdout.is_some() || stderr.is_some() {
        let next = killing.next.as_ref().map_or(begun, |step| step.at);
        let reads = Instant::now() >= reads_again;
        tokio::select! {
            count = read(&mut stdout, &mut from_stdout), if reads && stdout.is_some() => match count {
                0 => stdout = None,
                count => {
                    output(DriverOutputStream::Stdout, &from_stdout[..count]);
                    reads_again = Instant::now() + reading.pause;
                }
            },
            count = read(&mut stderr, &mut from_stderr), if reads && stderr.is_some() => match count {
                0 => stderr = None,
                count => {
                    output(DriverOutputStream::Stderr, &from_stderr[..count]);
                    reads_again = Instant::now() + reading.pause;
                }
            },
            () = sleep_until(reads_again), if !reads => {}
            ended = child.wait(), if status.is_none() => status = Some(ended),
            why = &mut stop, if stopped.is_none() => {
                stopped = Some(why);
                killing.send(Signal::SIGTERM);
            }
            () = sleep_until(next), if killing.next.is_some() => {
                // SIGKILL was sent and its wait is over. gitlab-runner waits no longer either, so the
                // call ends here, whoever still lives or holds the pipes.
                if !killing.escalate() {
                    break;
                }
            }
        }
    }
    // `GivenUp` means that no status came: the process outlived SIGKILL. If only something that it
    // started outlived it and holds the pipes, the status of the process itself counts.
    let through = stdout.is_none() && stderr.is_none();
    let exit = match status {
        Some(Ok(status)) if through || stopped.is_some() => exit_of(status),
        Some(Err(error)) => DriverProcessExit::NotStarted(error.to_string()),
        _ => DriverProcessExit::GivenUp,
    };
    EndedCall { exit, signals: killing.signals, took: begun.elapsed(), stopped }
}

fn start(invocation: &DriverInvocation) -> std::io::Result<Child> {
    let (program, arguments) = invocation.argv.split_first().ok_or_else(|| {
        std::io::Error::new(
            std::io::ErrorKind::InvalidInput,
            "no program is configured for this call",
        )
    })?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .current_dir(&invocation.folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    for (key, value) in &invocation.environment {
        command.env(key, value);
    }
    command.spawn()
}

/// The number of bytes read; 0 at the end, and where the pipe broke.
async fn read(pipe: &mut Option<impl AsyncReadExt + Unpin>, buffer: &mut [u8]) -> usize {
    match pipe {
        Some(pipe) => pipe.read(buffer).await.unwrap_or(0),
        None => std::future::pending().await,
    }
}

fn exit_of(status: ExitStatus) -> DriverProcessExit {
    match (status.code(), status.signal()) {
        (Some(code), _) => DriverProcessExit::Code(code),
        (None, Some(signal)) => DriverProcessExit::Signal(signal),
        (None, None) => DriverProcessExit::GivenUp,
    }
}

/// The kill sequence of one process group.
struct KillSequence {
    group: Option<Pid>,
    kill: KillTimes,
    begun: Instant,
    signals: Vec<SentSignal>,
    next: Option<KillStep>,
}

struct KillStep {
    at: Instant,
    /// The signal that is due then; none means giving up.
    signal: Option<Signal>,
}

impl KillSequence {
    fn send(&mut self, signal: Signal) {
        if let Some(group) = self.group {
            // A group that has ended meanwhile is what was wanted.
            let _ = killpg(group, signal);
        }
        self.signals.push(SentSignal { signal, after: self.begun.elapsed() });
        self.next = Some(match signal {
            Signal::SIGKILL => KillStep { at: Instant::now() + self.kill.force, signal: None },
            _ => {
                KillStep { at: Instant::now() + self.kill.graceful, signal: Some(Signal::SIGKILL) }
            }
        });
    }

    /// Takes the step that is due; false when there is none left and the process is given up.
    fn escalate(&mut self) -> bool {
        match self.next.take().and_then(|step| step.signal) {
            Some(signal) => {
                self.send(signal);
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    fn shell(script: &str) -> DriverInvocation {
        DriverInvocation {
            argv: ["/bin/sh", "-c", script].map(OsString::from).to_vec(),
            environment: vec![("PATH".into(), std::env::var_os("PATH").unwrap_or_default())],
            folder: std::env::temp_dir(),
        }
    }

    fn quick() -> KillTimes {
        KillTimes { graceful: Duration::from_millis(200), force: Duration::from_millis(200) }
    }

    #[tokio::test]
    async fn streams_stay_apart_and_the_code_is_kept() {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let call = shell("echo one; echo two >&2; exit 7");
        let ended =
            run(
                &call,
                pending(),
                quick(),
                PipeReadSpeed::default(),
                |stream, bytes| match stream {
                    DriverOutputStream::Stdout => out.extend_from_slice(bytes),
                    DriverOutputStream::Stderr => err.extend_from_slice(bytes),
                },
            )
            .await;
        assert_eq!(
            (ended.exit, out, err),
            (DriverProcessExit::Code(7), b"one\n".to_vec(), b"two\n".to_vec())
        );
    }

    #[tokio::test]
    async fn a_process_that_ignores_sigterm_is_killed_after_the_graceful_time() {
        let (ready_sender, is_ready) = tokio::sync::oneshot::channel::<()>();
        let mut ready_sender = Some(ready_sender);
        let call = shell("trap '' TERM; echo ready; while :; do sleep 0.05; done");
        let stop = async {
            let _ = is_ready.await;
            CallStopReason::Aborted
        };
        let ended = run(&call, stop, quick(), PipeReadSpeed::default(), |_, _| {
            ready_sender.take();
        })
        .await;
        let signals: Vec<_> = ended.signals.iter().map(|sent| sent.signal).collect();
        assert_eq!(signals, [Signal::SIGTERM, Signal::SIGKILL]);
        assert_eq!(ended.exit, DriverProcessExit::Signal(9));
    }

    #[tokio::test]
    async fn a_call_lasts_until_every_holder_of_its_pipes_has_closed_them() {
        let ended = run(
            &shell("(sleep 0.3) & exit 0"),
            pending(),
            quick(),
            PipeReadSpeed::default(),
            |_, _| {},
        )
        .await;
        assert_eq!(ended.exit, DriverProcessExit::Code(0));
        assert!(ended.took >= Duration::from_millis(300), "{:?}", ended.took);
    }

    #[tokio::test]
    async fn a_slow_reader_holds_the_writer_up_and_gets_every_byte() {
        let reading = PipeReadSpeed { piece: 4096, pause: Duration::from_millis(5) };
        let mut pieces = Vec::new();
        let call = shell("head -c 200000 /dev/zero; echo through >&2");
        let ended = run(&call, pending(), quick(), reading, |stream, bytes| {
            pieces.push((stream, bytes.len()));
        })
        .await;
        assert_eq!(ended.exit, DriverProcessExit::Code(0));
        let of = |wanted| pieces.iter().filter(move |(stream, _)| *stream == wanted);
        assert_eq!(of(DriverOutputStream::Stdout).map(|(_, count)| count).sum::<usize>(), 200_000);
        assert!(pieces.iter().all(|(_, count)| *count <= 4096), "{pieces:?}");
        // More than a pipe holds was still to come when the reader began.
        assert!(ended.took >= 48 * reading.pause, "{:?}", ended.took);
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_was_not_started() {
        let mut call = shell("");
        call.argv[0] = "/nonexistent/driver".into();
        let ended = run(
            &call,
            ready(CallStopReason::Aborted),
            quick(),
            PipeReadSpeed::default(),
            |_, _| {},
        )
        .await;
        assert!(matches!(ended.exit, DriverProcessExit::NotStarted(_)), "{:?}", ended.exit);
    }
}
