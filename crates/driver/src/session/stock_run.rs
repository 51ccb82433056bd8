//! Runs one script through a stock server: uploads it completely, passes its output on, and reports
//! its exit status.
//!
//! Nothing is acknowledged, and nothing can be resumed: if the connection is cut, what was on its
//! way is lost. A status counts only after the program's own first word. Before that, nothing has
//! started.

use fargate_mask::SharedMasker;
use std::cell::Cell;
use std::str::FromStr;
use std::time::Duration;

use fargate_events::{JobEvent, emit};
use fargate_fail_point::FailPoint;
use fargate_model::id::RandomToken;
use fargate_model::optional::or_never;
use fargate_protocol::{AgentRefusal, MAX_CHUNK, ScriptExit, ScriptStream};
use russh::client::{Handle, Msg};
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Sig};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};

use super::agent::{part, taken_within};
use super::cancel::CancelSignals;
use super::console::{ConsoleError, ConsoleProgress, ConsoleWriter};
use super::login::HostKeyVerifier;
use super::marker::{FilteredOutput, MAX_BEFORE, StartMarker};
use super::script_outcome::{ScriptOutcome, TaskCommand, TaskCondition};
use super::script_progress::START_WITHIN;
use super::stock::{StockSession, StockTimeouts, unusual};

/// After a script has ended, processes that still hold its output are left behind after this much
/// silence.
const LINGER: Duration = Duration::from_secs(1);
/// The same if they never fall silent. The agent has the same limit.
const LINGER_ALTOGETHER: Duration = Duration::from_secs(5);
/// The largest piece of output of OpenSSH. There must be room for one before more is read. Source:
/// RFC 4254, 5.2, and `CHAN_SES_PACKET_DEFAULT` of OpenSSH.
const PIECE: usize = 64 * 1024;
/// Written if output of a cancelled script was not read in time.
const OUTPUT_CUT: &str = "fargate-runner: nobody read the output of the cancelled script; from here on it is not shown\n";
/// Exit status of our program for an incomplete request.
const INCOMPLETE: u32 = 125;

impl StockSession {
    /// Runs `job`. `stops` brings requests to cancel it.
    ///
    /// It returns when the script ended, when the connection is lost, or when a cancel was passed
    /// on and its time is over.
    pub async fn run(
        self,
        run_id: RandomToken,
        job: &TaskCommand,
        console: &mut ConsoleWriter,
        stops: &mut CancelSignals,
    ) -> ScriptOutcome {
        let (shell, script) = script(job);
        let opened = tokio::select! {
            opened = timeout(self.windows.open, self.execute(&shell)) => opened,
            // Nothing was sent, so nothing runs.
            _ = stops.next() => return ScriptOutcome::Left,
        };
        let channel = match opened {
            Ok(Ok(channel)) => channel,
            Ok(Err(error)) => return lost(&error.to_string()),
            Err(_) => return lost("the server opened no session in time"),
        };
        let (mut read, write) = channel.split();
        let shared = StockRunState::default();
        let request = StockRunRequest {
            bytes: request(&run_id, &script, self.windows, console.joins_streams()),
            grace: self.windows.next_stage_grace,
            stall: self.windows.send,
        };
        let progress = console.progress();
        let ear = StockOutputReader::new(&shared, &run_id, &shell, &self.masker);
        let outcome = tokio::select! {
            outcome = ear.hear(&mut read, &self.handle, console) => outcome,
            outcome = speak(&write, &shared, request, progress, stops) => outcome,
        };
        part(self.handle, read, write).await;
        outcome
    }
}

fn lost(how: &str) -> ScriptOutcome {
    ScriptOutcome::Lost { how: how.to_owned(), received: 0, started: false, warned: false }
}

/// The shell, and the script for it.
fn script(job: &TaskCommand) -> (String, Vec<u8>) {
    match job {
        TaskCommand::Script { shell, bytes } => (shell.clone(), bytes.clone()),
        TaskCommand::Argv(argv) => {
            let words = argv.iter().map(|word| format!(" '{}'", word.replace('\'', r"'\''")));
            ("sh".to_owned(), format!("exec{}\n", words.collect::<String>()).into_bytes())
        }
    }
}

struct StockRunRequest {
    bytes: Vec<u8>,
    /// How long a former script has before this one begins.
    grace: Duration,
    /// How long the server may accept nothing.
    stall: Duration,
}

/// The input of the program, see `stock.sh`.
fn request(
    run_id: &RandomToken,
    script: &[u8],
    windows: StockTimeouts,
    join_streams: bool,
) -> Vec<u8> {
    let length = script.len() + run_id.as_str().len();
    let grace = seconds(windows.next_stage_grace);
    let gone = seconds(windows.client_gone);
    let streams = if join_streams { "joined" } else { "apart" };
    let mut request = format!("run {run_id} {length} {grace} {gone} {streams}\n").into_bytes();
    request.extend_from_slice(script);
    request.extend_from_slice(run_id.as_str().as_bytes());
    request
}

/// The duration in whole seconds, rounded up.
fn seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

/// What the reading and the writing part share.
#[derive(Default)]
struct StockRunState {
    uploaded: Cell<bool>,
    started: Cell<bool>,
    /// Notified when the script has started.
    start: Notify,
    /// From then on, it does not matter whether anybody reads the output.
    leave_at: Cell<Option<Instant>>,
}

impl StockRunState {
    fn set_started(&self) {
        if !self.started.replace(true) {
            FailPoint::ScriptStarted.reached();
            emit(JobEvent::ScriptStarted {});
            self.start.notify_one();
        }
    }

    async fn until_started(&self) {
        if !self.started.get() {
            self.start.notified().await;
        }
    }
}

/// Sends the script, and later cancels. Returns when it is time to leave.
async fn speak(
    write: &ChannelWriteHalf<Msg>,
    shared: &StockRunState,
    request: StockRunRequest,
    mut progress: watch::Receiver<ConsoleProgress>,
    stops: &mut CancelSignals,
) -> ScriptOutcome {
    let uploaded = tokio::select! {
        uploaded = upload(write, &request) => uploaded,
        // A script that was not sent completely does not start, and closing the channel ends the
        // upload.
        _ = stops.next() => return ScriptOutcome::Left,
    };
    if let Err(how) = uploaded {
        // The server closed the channel before it had everything. Its output says why, so give the
        // reader time for it.
        sleep(LINGER).await;
        return lost(&how);
    }
    FailPoint::ScriptSent.reached();
    shared.uploaded.set(true);
    // The program first ends a former script, which may take the grace.
    let start_by = Instant::now() + START_WITHIN + request.grace;
    loop {
        let unstarted = Some(start_by).filter(|_| !shared.started.get());
        let stop = tokio::select! {
            biased;
            stop = stops.next() => stop,
            () = or_never(shared.leave_at.get().map(sleep_until)) => return ScriptOutcome::Left,
            Ok(()) = progress.changed() => {
                let closed = progress.borrow_and_update().closed;
                if let Some(failure) = closed {
                    return ScriptOutcome::OutputClosed(failure);
                }
                continue;
            }
            () = or_never(unstarted.map(sleep_until)) => {
                if shared.started.get() {
                    continue;
                }
                let how = "the task did not start the script in time".to_owned();
                return ScriptOutcome::Lost { how, received: 0, started: true, warned: false };
            }
        };
        if shared.leave_at.get().is_some() {
            return ScriptOutcome::Left;
        }
        let leave_at = Instant::now() + stop.leave_after;
        shared.leave_at.set(Some(leave_at));
        // A `head` in the task may read ahead. It would take this line for a part of the script.
        if timeout_at(leave_at.min(start_by), shared.until_started()).await.is_err() {
            continue;
        }
        let wish = format!("end {}\n", seconds(stop.grace));
        match timeout_at(leave_at, write.data_bytes(wish)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return ScriptOutcome::Left,
        }
    }
}

async fn upload(write: &ChannelWriteHalf<Msg>, request: &StockRunRequest) -> Result<(), String> {
    for bytes in request.bytes.chunks(MAX_CHUNK) {
        taken_within(request.stall, write.data_bytes(bytes.to_vec())).await?;
    }
    Ok(())
}

/// Reads the script's output. It sends nothing.
struct StockOutputReader<'a> {
    shared: &'a StockRunState,
    shell: &'a str,
    masker: &'a SharedMasker,
    out: StartMarker,
    err: StartMarker,
    received: u64,
    ending: Option<u32>,
    signal: Option<u8>,
    ended_at: Option<Instant>,
    /// The server said that no more output comes.
    is_whole: bool,
    /// Output was left out. Nothing after the gap is shown.
    is_cut: bool,
}

impl<'a> StockOutputReader<'a> {
    fn new(
        shared: &'a StockRunState,
        run_id: &RandomToken,
        shell: &'a str,
        masker: &'a SharedMasker,
    ) -> Self {
        let marker = || StartMarker::new(run_id.as_str());
        let (out, err) = (marker(), marker());
        Self {
            shared,
            shell,
            masker,
            out,
            err,
            received: 0,
            ending: None,
            signal: None,
            ended_at: None,
            is_whole: false,
            is_cut: false,
        }
    }

    fn is_started(&self) -> bool {
        self.out.is_met() || self.err.is_met()
    }

    fn lost(&self, how: impl Into<String>) -> ScriptOutcome {
        let started = self.is_started() || self.shared.uploaded.get();
        ScriptOutcome::Lost { how: how.into(), received: self.received, started, warned: false }
    }

    async fn hear(
        mut self,
        read: &mut ChannelReadHalf,
        server: &Handle<HostKeyVerifier>,
        console: &mut ConsoleWriter,
    ) -> ScriptOutcome {
        loop {
            let waited = room(console, self.shared).await;
            // If our own reader is slow, the script's output must not be given up for it.
            self.ended_at = self.ended_at.map(|ended_at| ended_at + waited);
            // Once the script has ended, a process that it left behind may hold the output open for
            // ever. So from then on, wait for silence, and not only for the end of the channel.
            let heard = match self.ended_at {
                None => read.wait().await,
                // A process that never falls silent would be read for ever.
                Some(ended_at) if ended_at.elapsed() > LINGER_ALTOGETHER => {
                    return self.over(None, console).await;
                }
                Some(ended_at) => tokio::select! {
                    // Take output before the server's answer, because it came before it.
                    biased;
                    heard = read.wait() => heard,
                    is_there = silence(ended_at, server) => {
                        if is_there {
                            return self.over(None, console).await;
                        }
                        return self.lost("the connection fell silent before all output had come");
                    }
                },
            };
            let taken = match heard {
                Some(ChannelMsg::Data { data }) => {
                    self.take(ScriptStream::Stdout, data.to_vec(), console)
                }
                Some(ChannelMsg::ExtendedData { data, ext: 1 }) => {
                    self.take(ScriptStream::Stderr, data.to_vec(), console)
                }
                Some(ChannelMsg::ExitStatus { exit_status }) => {
                    self.ending = Some(exit_status);
                    self.ended_at = Some(Instant::now());
                    Ok(())
                }
                Some(ChannelMsg::ExitSignal { signal_name, .. }) => {
                    self.signal = Some(number(&signal_name));
                    self.ended_at = Some(Instant::now());
                    Ok(())
                }
                Some(ChannelMsg::Failure) => Err(self.not_started("the server refuses commands")),
                Some(ChannelMsg::Eof) => {
                    self.is_whole = true;
                    Ok(())
                }
                Some(ChannelMsg::Close) => return self.over(Some(server), console).await,
                // The exit status may arrive before output that is still on its way.
                None if self.ended_at.is_some() && !self.is_whole => {
                    return self.lost("the connection was cut before all output had come");
                }
                None => return self.over(Some(server), console).await,
                Some(_) => Ok(()),
            };
            // Here ends a run whose output cannot be passed on, or whose server refuses commands.
            if let Err(outcome) = taken {
                return outcome;
            }
        }
    }

    fn take(
        &mut self,
        stream: ScriptStream,
        bytes: Vec<u8>,
        console: &mut ConsoleWriter,
    ) -> Result<(), ScriptOutcome> {
        let marker = match stream {
            ScriptStream::Stdout => &mut self.out,
            ScriptStream::Stderr => &mut self.err,
        };
        let bytes = match marker.pass(bytes) {
            FilteredOutput::Bytes(bytes) => bytes,
            FilteredOutput::Nothing => {
                if self.is_started() {
                    self.shared.set_started();
                }
                return Ok(());
            }
            FilteredOutput::TooMuch if self.shared.uploaded.get() => {
                return Err(self.lost(only_prints()));
            }
            FilteredOutput::TooMuch => return Err(self.not_started(&only_prints())),
        };
        self.shared.set_started();
        // Nobody reads any more, but the server's messages are needed until its end.
        let is_unread = self.shared.leave_at.get().is_some() && !console.has_room(PIECE);
        if is_unread && !self.is_cut {
            console.say(OUTPUT_CUT);
            self.is_cut = true;
        }
        if self.is_cut {
            return Ok(());
        }
        let length = bytes.len() as u64;
        match console.put(stream, bytes) {
            Ok(()) => {
                self.received += length;
                Ok(())
            }
            Err(ConsoleError::Closed(failure)) => Err(ScriptOutcome::OutputClosed(failure)),
            Err(error @ ConsoleError::Overrun) => Err(self.lost(error.to_string())),
        }
    }

    fn not_started(&self, how: &str) -> ScriptOutcome {
        ScriptOutcome::NoShell { how: how.to_owned() }
    }

    /// The outcome of a script that has ended. With a `server`, it has said everything, and is
    /// asked whether it is still there. Without one, a process that the script left behind holds
    /// the output, and the server has just answered.
    async fn over(
        self,
        server: Option<&Handle<HostKeyVerifier>>,
        console: &mut ConsoleWriter,
    ) -> ScriptOutcome {
        let ending = match (self.ending, self.signal) {
            (None, None) => return self.lost("the server left without saying how it ended"),
            (Some(status), _) => ScriptExit::Code { code: u8::try_from(status).unwrap_or(u8::MAX) },
            (None, Some(number)) => ScriptExit::Signal { number },
        };
        if !self.is_started() {
            return self.unstarted();
        }
        if let Some(failure) = console.drained().await.closed {
            return ScriptOutcome::OutputClosed(failure);
        }
        let sign = match server {
            Some(server) if !is_there(server).await => TaskCondition::Gone,
            _ => TaskCondition::Alive,
        };
        let stopped = self.shared.leave_at.get().is_some();
        ScriptOutcome::Ended { ending, sign, stopped, output_left: server.is_none() }
    }

    /// The outcome if it ended before our program's first word.
    fn unstarted(&self) -> ScriptOutcome {
        match self.ending {
            Some(INCOMPLETE) if !self.shared.uploaded.get() => {
                lost("the script did not arrive whole")
            }
            Some(126 | 127) => ScriptOutcome::Refused(AgentRefusal::Start {
                program: self.shell.to_owned(),
                error: unusual(self.masker, self.ending, self.err.before(), self.out.before()),
            }),
            _ => ScriptOutcome::NoShell {
                how: unusual(self.masker, self.ending, self.err.before(), self.out.before()),
            },
        }
    }
}

/// Whether the server still answers. If it ended together with the script, it was told to end, and
/// the script may have been as well.
async fn is_there(server: &Handle<HostKeyVerifier>) -> bool {
    let answered = timeout(LINGER_ALTOGETHER, server.send_ping()).await;
    answered.is_ok() && !server.is_closed()
}

/// Returns when the output of an ended script is left behind: `true` if a process still holds it,
/// `false` if the server no longer answers, so that output may be on its way.
async fn silence(ended_at: Instant, server: &Handle<HostKeyVerifier>) -> bool {
    let quiet = Instant::now() + LINGER;
    sleep_until(quiet.min(ended_at + LINGER_ALTOGETHER)).await;
    emit(JobEvent::SessionSilent {});
    is_there(server).await
}

/// Waits until there is room for another piece, or nobody waits for it any more. Returns how long
/// that took. As long as nothing is read from the connection, the server stops, and with it the
/// script.
async fn room(console: &ConsoleWriter, shared: &StockRunState) -> Duration {
    let began = Instant::now();
    let mut progress = console.progress();
    while !console.has_room(PIECE) && shared.leave_at.get().is_none() {
        let changed = timeout(LINGER, progress.changed()).await;
        if matches!(changed, Ok(Err(_))) || progress.borrow_and_update().closed.is_some() {
            break;
        }
    }
    began.elapsed()
}

fn number(signal: &Sig) -> u8 {
    let name = match signal {
        Sig::ABRT => "ABRT",
        Sig::ALRM => "ALRM",
        Sig::FPE => "FPE",
        Sig::HUP => "HUP",
        Sig::ILL => "ILL",
        Sig::INT => "INT",
        Sig::KILL => "KILL",
        Sig::PIPE => "PIPE",
        Sig::QUIT => "QUIT",
        Sig::SEGV => "SEGV",
        Sig::TERM => "TERM",
        Sig::USR1 => "USR1",
        Sig::Custom(name) => name.split('@').next().unwrap_or_default(),
    };
    let known = nix::sys::signal::Signal::from_str(&format!("SIG{name}"));
    // A signal that this system does not know becomes the largest status.
    known.ok().and_then(|known| u8::try_from(known as i32).ok()).unwrap_or(127)
}

/// Why a script did not start although the login shell writes.
fn only_prints() -> String {
    format!("the login shell printed more than {MAX_BEFORE} bytes and did not start the script")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_reach_the_program_as_they_are() {
        let argv = ["printf", "%s|", "a b", "it's", "$(reboot)", ""].map(str::to_owned).to_vec();
        let (shell, script) = script(&TaskCommand::Argv(argv));
        let ran = std::process::Command::new(shell)
            .args(["-c", &String::from_utf8(script).unwrap()])
            .output()
            .unwrap();
        assert_eq!(String::from_utf8(ran.stdout).unwrap(), "a b|it's|$(reboot)||");
    }

    #[test]
    fn signals_have_their_numbers() {
        assert_eq!([Sig::TERM, Sig::KILL, Sig::HUP].map(|signal| number(&signal)), [15, 9, 1]);
        assert_eq!(number(&Sig::Custom("USR2".to_owned())), 12);
        assert_eq!(number(&Sig::Custom("ODD@example".to_owned())), 127);
    }
}
