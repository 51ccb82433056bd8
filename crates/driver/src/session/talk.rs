//! One script through an open session: uploaded whole, its output passed on and acknowledged, its
//! end reported exactly as the agent told it.

use std::cell::Cell;
use std::time::Duration;

use fargate_model::id::Token;
use fargate_protocol::{
    Accepted, Decoder, Ending, FrameError, FromAgent, FromClient, MAX_CHUNK, Notice, Refusal, Run,
    What,
};
use russh::client::Msg;
use russh::{ChannelReadHalf, ChannelWriteHalf};
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::agent::{AgentSession, next, send};
use super::console::{Console, ConsoleError, Progress};
use super::stops::{Stop, Stops};
use crate::point::Point;

/// Acknowledgements are sent at least this often, in bytes of output; one sixteenth of the window.
const ACK_EVERY: u64 = 256 * 1024;
/// From the last byte of a script to its start, beyond the grace of a former script.
pub(super) const START_WITHIN: Duration = Duration::from_secs(30);

/// What is run.
#[derive(Clone, Debug)]
pub enum Job {
    /// A script for a shell.
    Script {
        /// The shell.
        shell: String,
        /// The script.
        bytes: Vec<u8>,
    },
    /// A program and its arguments.
    Argv(Vec<String>),
}

/// How it went.
#[derive(Debug)]
pub enum Outcome {
    /// The script ended and all its output was written.
    Ended {
        /// How.
        ending: Ending,
        /// The agent said that its task is being ended from outside; then this may not be the
        /// script's own end.
        terminating: bool,
        /// We had asked for an end.
        stopped: bool,
        /// A process that the script left behind still holds its output.
        output_left: bool,
    },
    /// We asked for an end and do not wait for it; the agent sees to it, with or without us.
    Left,
    /// The agent does not run it; nothing was started.
    Refused(Refusal),
    /// A stock server's login shell did not run our program; nothing was started.
    NoShell {
        /// What was seen instead.
        how: String,
    },
    /// Another `run` took this one's place.
    Superseded,
    /// The connection is gone and nobody said how the script ended.
    Lost {
        /// In words.
        how: String,
        /// Bytes of output that arrived.
        received: u64,
        /// True if the script may have been started.
        started: bool,
    },
    /// Whoever reads our output is gone.
    OutputClosed,
}

impl AgentSession {
    /// Runs `job`; `stops` brings wishes to end it.
    ///
    /// The future returns when the script ended, the connection is lost, or a wish to end was passed
    /// on and its time is over. The agent's own deadlines bound the script.
    pub async fn run(
        mut self,
        run_id: Token,
        job: &Job,
        console: &mut Console,
        stops: &mut Stops,
    ) -> Outcome {
        let outcome = match self.start(run_id, job, stops).await {
            Ok(()) => {
                let Self { read, write, decoder, .. } = &mut self;
                listen(read, write, decoder, console, stops).await
            }
            Err(outcome) => outcome,
        };
        self.close().await;
        outcome
    }

    /// From the request to the running script.
    async fn start(&mut self, run_id: Token, job: &Job, stops: &mut Stops) -> Result<(), Outcome> {
        let lost = |how: String, started| Outcome::Lost { how, received: 0, started };
        let (run, script) = request(run_id, job);
        let Self { read, write, decoder, .. } = self;
        if let Err(error) = send(write, &FromClient::Run(run)).await {
            return Err(lost(error.to_string(), false));
        }
        let answer = next(read, decoder);
        tokio::pin!(answer);
        let uploaded = tokio::select! {
            uploaded = upload(write, script) => uploaded,
            early = &mut answer => return Err(refused_early(early)),
            stop = stops.next() => return Err(leave_early(write, stop).await),
        };
        if let Err(error) = uploaded {
            return Err(lost(error.to_string(), false));
        }
        Point::ScriptSent.reached();
        let answer = tokio::select! {
            answer = timeout(START_WITHIN, answer) => answer,
            stop = stops.next() => return Err(leave_early(write, stop).await),
        };
        match answer {
            Ok(Ok(Some(FromAgent::Accepted(Accepted::Started | Accepted::Resumed)))) => {
                Point::ScriptStarted.reached();
                Ok(())
            }
            Ok(Ok(Some(FromAgent::Accepted(Accepted::Superseded)))) => Err(Outcome::Superseded),
            Ok(Ok(Some(FromAgent::Refused(refusal)))) => Err(Outcome::Refused(refusal)),
            Ok(Ok(Some(_))) => Err(lost("the agent answered out of turn".to_owned(), true)),
            Ok(Ok(None)) => Err(lost("the agent left".to_owned(), true)),
            Ok(Err(error)) => Err(lost(error.to_string(), true)),
            Err(_) => Err(lost("the agent did not start the script in time".to_owned(), true)),
        }
    }
}

/// Before the whole script was sent, the agent can only have refused it.
fn refused_early(answer: Result<Option<FromAgent>, FrameError>) -> Outcome {
    match answer {
        Ok(Some(FromAgent::Refused(refusal))) => Outcome::Refused(refusal),
        _ => Outcome::Lost {
            how: "the agent left before it had the whole script".to_owned(),
            received: 0,
            started: false,
        },
    }
}

/// Between the request and its answer: a script that has started hears of it, one that has not is
/// not started, because the upload ends here.
async fn leave_early(write: &ChannelWriteHalf<Msg>, stop: Stop) -> Outcome {
    let _ = timeout(stop.leave_after, send(write, &signal(stop))).await;
    Outcome::Left
}

fn signal(stop: Stop) -> FromClient {
    let grace_ms = u64::try_from(stop.grace.as_millis()).unwrap_or(u64::MAX);
    FromClient::Signal { signal: stop.signal, grace_ms }
}

fn request(run_id: Token, job: &Job) -> (Run, &[u8]) {
    let (what, script): (What, &[u8]) = match job {
        Job::Script { shell, bytes } => {
            let sha256 = Sha256::digest(bytes).to_vec();
            let length = bytes.len() as u64;
            (What::Script { shell: shell.clone(), length, sha256 }, bytes)
        }
        Job::Argv(argv) => (What::Argv { argv: argv.clone() }, &[]),
    };
    let run = Run { run_id, target: None, what, env: Vec::new(), cwd: None, resume_from: None };
    (run, script)
}

async fn upload(write: &ChannelWriteHalf<Msg>, script: &[u8]) -> Result<(), russh::Error> {
    for bytes in script.chunks(MAX_CHUNK) {
        send(write, &FromClient::Script { bytes: bytes.to_vec() }).await?;
    }
    Ok(())
}

/// The time between a script's start and its end.
///
/// Hearing and speaking go on side by side, and neither waits for the other: the SSH library stops
/// reading the network while what it has read is not taken, so whoever hears must never send.
async fn listen(
    read: &mut ChannelReadHalf,
    write: &ChannelWriteHalf<Msg>,
    decoder: &mut Decoder,
    console: &mut Console,
    stops: &mut Stops,
) -> Outcome {
    let shared = Shared { received: Cell::new(0), leave_at: Cell::new(None) };
    let progress = console.progress();
    let ear = Ear { shared: &shared, terminating: false, output_left: false };
    tokio::select! {
        outcome = ear.hear(read, decoder, console) => outcome,
        outcome = speak(write, &shared, progress, stops) => outcome,
    }
}

/// What hearing and speaking know of each other.
struct Shared {
    received: Cell<u64>,
    leave_at: Cell<Option<Instant>>,
}

impl Shared {
    fn lost(&self, how: impl Into<String>) -> Outcome {
        Outcome::Lost { how: how.into(), received: self.received.get(), started: true }
    }
}

/// Sends acknowledgements and wishes to end; returns when it is time to leave.
async fn speak(
    write: &ChannelWriteHalf<Msg>,
    shared: &Shared,
    mut progress: watch::Receiver<Progress>,
    stops: &mut Stops,
) -> Outcome {
    let mut acknowledged = 0;
    loop {
        let message = tokio::select! {
            biased;
            stop = stops.next() => {
                if shared.leave_at.get().is_some() {
                    return Outcome::Left;
                }
                shared.leave_at.set(Some(Instant::now() + stop.leave_after));
                signal(stop)
            }
            () = at(shared.leave_at.get()) => return Outcome::Left,
            Ok(()) = progress.changed() => {
                let now = *progress.borrow_and_update();
                if now.closed {
                    return Outcome::OutputClosed;
                }
                let caught_up = now.written == shared.received.get();
                if now.written - acknowledged < ACK_EVERY && !caught_up {
                    continue;
                }
                acknowledged = now.written;
                FromClient::Ack { offset: now.written }
            }
        };
        let sent = tokio::select! {
            sent = send(write, &message) => sent,
            () = at(shared.leave_at.get()) => return Outcome::Left,
        };
        if let Err(error) = sent {
            return shared.lost(error.to_string());
        }
    }
}

pub(super) async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Hears what the agent says, and sends nothing.
struct Ear<'a> {
    shared: &'a Shared,
    terminating: bool,
    output_left: bool,
}

impl Ear<'_> {
    async fn hear(
        mut self,
        read: &mut ChannelReadHalf,
        decoder: &mut Decoder,
        console: &mut Console,
    ) -> Outcome {
        loop {
            let ending = match next(read, decoder).await {
                Ok(Some(message)) => match self.take_in(message, console) {
                    Ok(None) => continue,
                    Ok(Some(ending)) => ending,
                    Err(outcome) => return outcome,
                },
                Ok(None) => return self.shared.lost("the agent left without saying how it ended"),
                Err(error) => return self.shared.lost(error.to_string()),
            };
            // The script has ended; its last output may still wait for a slow reader.
            if console.drained().await.closed {
                return Outcome::OutputClosed;
            }
            return Outcome::Ended {
                ending,
                terminating: self.terminating,
                stopped: self.shared.leave_at.get().is_some(),
                output_left: self.output_left,
            };
        }
    }

    /// How the script ended, once the agent said so.
    fn take_in(
        &mut self,
        message: FromAgent,
        console: &mut Console,
    ) -> Result<Option<Ending>, Outcome> {
        let received = self.shared.received.get();
        match message {
            FromAgent::Output { offset, stream, bytes } => {
                if offset != received {
                    let gap = format!("output at {offset} where {received} was expected");
                    return Err(self.shared.lost(gap));
                }
                let length = bytes.len() as u64;
                match console.put(stream, bytes) {
                    Ok(()) => self.shared.received.set(received + length),
                    Err(ConsoleError::Closed) => return Err(Outcome::OutputClosed),
                    Err(error @ ConsoleError::Overrun) => {
                        return Err(self.shared.lost(error.to_string()));
                    }
                }
                Ok(None)
            }
            FromAgent::Exit { ending, offset } if offset == received => Ok(Some(ending)),
            FromAgent::Exit { offset, .. } => {
                Err(self.shared.lost(format!("{received} of {offset} bytes of output arrived")))
            }
            FromAgent::Notice(Notice::Terminating | Notice::LeaseEnded { .. }) => {
                self.terminating = true;
                Ok(None)
            }
            FromAgent::Notice(Notice::OutputLeft) => {
                self.output_left = true;
                Ok(None)
            }
            FromAgent::Notice(Notice::Superseded) => Err(Outcome::Superseded),
            FromAgent::Refused(refusal) => {
                Err(self.shared.lost(format!("the agent refused: {refusal}")))
            }
            FromAgent::HelloOk { .. } | FromAgent::Accepted(_) => {
                Err(self.shared.lost("the agent answered out of turn"))
            }
        }
    }
}
