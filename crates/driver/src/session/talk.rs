//! One script through an open session: uploaded whole, its output passed on and acknowledged, its
//! end reported exactly as the agent told it.

use std::time::Duration;

use fargate_model::id::Token;
use fargate_protocol::{
    Accepted, Ending, FrameError, FromAgent, FromClient, MAX_CHUNK, Notice, Refusal, Run, What,
};
use russh::ChannelWriteHalf;
use russh::client::Msg;
use sha2::{Digest, Sha256};
use tokio::time::{Instant, sleep_until};

use super::console::{Console, ConsoleError, Progress};
use super::login::{Session, next, send};
use super::stops::Stops;

/// Acknowledgements are sent at least this often, in bytes of output; one sixteenth of the window.
const ACK_EVERY: u64 = 256 * 1024;
/// From the last byte of a script to its start, beyond the grace of a former script.
const START_WITHIN: Duration = Duration::from_secs(30);

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
    },
    /// We asked for an end and do not wait for it; the agent sees to it, with or without us.
    Left,
    /// The agent does not run it; nothing was started.
    Refused(Refusal),
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

impl Session {
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
        let lost = |how: String, started| Outcome::Lost { how, received: 0, started };
        let (run, script) = request(run_id, job);
        if let Err(error) = send(&self.write, &FromClient::Run(run)).await {
            return lost(error.to_string(), false);
        }
        let started = {
            let Self { read, write, decoder, .. } = &mut self;
            let answer = next(read, decoder);
            tokio::pin!(answer);
            let uploaded = tokio::select! {
                uploaded = upload(write, script) => uploaded.map_err(|error| error.to_string()),
                early = &mut answer => return refused_early(early),
                _ = stops.next() => return Outcome::Left,
            };
            if let Err(how) = uploaded {
                return lost(how, false);
            }
            tokio::select! {
                answer = tokio::time::timeout(START_WITHIN, answer) => answer,
                _ = stops.next() => return Outcome::Left,
            }
        };
        match started {
            Ok(Ok(Some(FromAgent::Accepted(Accepted::Started | Accepted::Resumed)))) => {}
            Ok(Ok(Some(FromAgent::Accepted(Accepted::Superseded)))) => return Outcome::Superseded,
            Ok(Ok(Some(FromAgent::Refused(refusal)))) => return Outcome::Refused(refusal),
            Ok(Ok(Some(other))) => return lost(format!("an answer out of turn: {other:?}"), true),
            Ok(Ok(None)) => return lost("the agent left".to_owned(), true),
            Ok(Err(error)) => return lost(error.to_string(), true),
            Err(_) => return lost("the agent did not start the script in time".to_owned(), true),
        }
        let outcome = Listening::new(console).listen(&mut self, stops).await;
        self.close().await;
        outcome
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
struct Listening<'a> {
    console: &'a mut Console,
    received: u64,
    acknowledged: u64,
    terminating: bool,
    leave_at: Option<Instant>,
}

impl<'a> Listening<'a> {
    fn new(console: &'a mut Console) -> Self {
        Self { console, received: 0, acknowledged: 0, terminating: false, leave_at: None }
    }

    async fn listen(mut self, session: &mut Session, stops: &mut Stops) -> Outcome {
        let mut progress = self.console.progress();
        let Session { read, write, decoder, .. } = session;
        loop {
            tokio::select! {
                biased;
                stop = stops.next() => {
                    if self.leave_at.is_some() {
                        return Outcome::Left;
                    }
                    self.leave_at = Some(Instant::now() + stop.leave_after);
                    let grace_ms = u64::try_from(stop.grace.as_millis()).unwrap_or(u64::MAX);
                    let signal = FromClient::Signal { signal: stop.signal, grace_ms };
                    if let Err(error) = send(write, &signal).await {
                        return self.lost(error.to_string());
                    }
                }
                () = leave(self.leave_at) => return Outcome::Left,
                Ok(()) = progress.changed() => {
                    let now = *progress.borrow_and_update();
                    if now.closed {
                        return Outcome::OutputClosed;
                    }
                    if let Err(error) = self.acknowledge(write, now).await {
                        return self.lost(error.to_string());
                    }
                }
                message = next(read, decoder) => match message {
                    Ok(Some(message)) => {
                        if let Some(outcome) = self.hear(message, stops).await {
                            return outcome;
                        }
                    }
                    Ok(None) => return self.lost("the agent left without saying how it ended".to_owned()),
                    Err(error) => return self.lost(error.to_string()),
                },
            }
        }
    }

    async fn acknowledge(
        &mut self,
        write: &ChannelWriteHalf<Msg>,
        now: Progress,
    ) -> Result<(), russh::Error> {
        let caught_up = now.written == self.received;
        if now.written - self.acknowledged < ACK_EVERY && !caught_up {
            return Ok(());
        }
        self.acknowledged = now.written;
        send(write, &FromClient::Ack { offset: now.written }).await
    }

    async fn hear(&mut self, message: FromAgent, stops: &mut Stops) -> Option<Outcome> {
        match message {
            FromAgent::Output { offset, stream, bytes } => {
                if offset != self.received {
                    let gap = format!("output at {offset} where {} was expected", self.received);
                    return Some(self.lost(gap));
                }
                let length = bytes.len() as u64;
                match self.console.put(stream, bytes) {
                    Ok(()) => self.received += length,
                    Err(ConsoleError::Closed) => return Some(Outcome::OutputClosed),
                    Err(error @ ConsoleError::Overrun) => {
                        return Some(self.lost(error.to_string()));
                    }
                }
                None
            }
            FromAgent::Exit { ending, offset } if offset == self.received => {
                Some(self.end(ending, stops).await)
            }
            FromAgent::Exit { offset, .. } => {
                let gap = format!("{} of {offset} bytes of output arrived", self.received);
                Some(self.lost(gap))
            }
            FromAgent::Notice(Notice::Terminating | Notice::LeaseEnded { .. }) => {
                self.terminating = true;
                None
            }
            FromAgent::Notice(Notice::Superseded) => Some(Outcome::Superseded),
            FromAgent::Refused(refusal) => {
                Some(self.lost(format!("the agent refused: {refusal:?}")))
            }
            FromAgent::HelloOk { .. } | FromAgent::Accepted(_) => {
                Some(self.lost("an answer out of turn".to_owned()))
            }
        }
    }

    /// The script has ended; its last output may still wait for a slow reader.
    async fn end(&mut self, ending: Ending, stops: &mut Stops) -> Outcome {
        let leave_at = self.leave_at;
        let terminating = self.terminating;
        tokio::select! {
            progress = self.console.drained() => {
                if progress.closed {
                    return Outcome::OutputClosed;
                }
                let stopped = leave_at.is_some();
                Outcome::Ended { ending, terminating, stopped }
            }
            () = leave(leave_at) => Outcome::Left,
            _ = stops.next() => Outcome::Left,
        }
    }

    fn lost(&self, how: String) -> Outcome {
        Outcome::Lost { how, received: self.received, started: true }
    }
}

async fn leave(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}
