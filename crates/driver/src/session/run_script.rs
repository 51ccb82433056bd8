//! Runs one script through an open session with our agent: uploads it completely, passes its output
//! on, acknowledges it, and reports the end exactly as the agent told it.
//!
//! It uses one connection. What follows after a cut is decided in `resume`.

use std::time::Duration;

use fargate_events::{JobEvent, emit};
use fargate_fail_point::FailPoint;
use fargate_model::id::RandomToken;
use fargate_model::optional::or_never;
use fargate_protocol::{
    AgentMessage, AgentNotice, ClientMessage, FrameDecoder, FrameError, MAX_CHUNK, RunAcceptance,
    RunCommand, RunRequest, ScriptExit,
};
use russh::client::Msg;
use russh::{ChannelReadHalf, ChannelWriteHalf};
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, sleep_until, timeout};

use super::agent::{AgentSession, next, send, send_within};
use super::cancel::{CancelRequest, CancelSignals};
use super::console::{ConsoleError, ConsoleProgress, ConsoleWriter};
use super::script_outcome::{ScriptOutcome, TaskCommand, TaskCondition};
use super::script_progress::{ConnectionOutcome, ScriptProgress, ScriptStartMode};

/// Bytes of output after which an acknowledgement is sent at the latest: a sixteenth of the window.
const ACK_EVERY: u64 = 256 * 1024;

/// Longest time from the request to attach until its answer.
const ATTACH_WITHIN: Duration = Duration::from_secs(10);

impl AgentSession {
    /// Runs `job`, or attaches to it. `stops` brings requests to cancel it.
    ///
    /// It returns when the script ended, when the connection is lost, or when a cancel was passed
    /// on and its time is over. The agent's own deadlines limit the script.
    pub(super) async fn attend(
        mut self,
        run_id: &RandomToken,
        job: &TaskCommand,
        begin: ScriptStartMode,
        script_progress: &ScriptProgress,
        console: &mut ConsoleWriter,
        stops: &mut CancelSignals,
    ) -> ConnectionOutcome {
        let begun = match begin {
            ScriptStartMode::Send => self.start(run_id, job, script_progress, stops).await,
            ScriptStartMode::Attach { cut_at } => {
                self.attach(run_id, job, script_progress, stops, cut_at).await
            }
        };
        let attended = match begun {
            Ok(()) => {
                let Self { read, write, decoder, patience, .. } = &mut self;
                let writer = AgentWriter { write, stall: patience.send };
                listen(read, &writer, decoder, script_progress, console, stops).await
            }
            Err(attended) => attended,
        };
        if matches!(attended, ConnectionOutcome::Done(_)) {
            self.close().await;
        }
        attended
    }

    /// From the request to the running script.
    async fn start(
        &mut self,
        run_id: &RandomToken,
        job: &TaskCommand,
        script_progress: &ScriptProgress,
        stops: &mut CancelSignals,
    ) -> Result<(), ConnectionOutcome> {
        let (run, script) = request(run_id, job, None, script_progress.join_streams);
        let Self { read, write, decoder, patience, .. } = self;
        let answer = next(read, decoder);
        tokio::pin!(answer);
        let uploaded = tokio::select! {
            uploaded = upload(write, run, script, patience.send) => uploaded,
            early = &mut answer => return Err(refused_early(early, script_progress)),
            stop = stops.next() => return Err(leave_early(write, stop).await),
        };
        // From here on, everything may arrive. If a piece was not accepted, the agent lacks it and
        // starts nothing.
        uploaded.map_err(ConnectionOutcome::Cut)?;
        script_progress.sent.set(true);
        FailPoint::ScriptSent.reached();
        let answer = tokio::select! {
            answer = timeout(patience.start, answer) => answer,
            stop = stops.next() => return Err(leave_early(write, stop).await),
        };
        match answer {
            Ok(Ok(Some(AgentMessage::Accepted(
                RunAcceptance::Started | RunAcceptance::Resumed,
            )))) => {
                script_progress.set_started();
                FailPoint::ScriptStarted.reached();
                emit(JobEvent::ScriptStarted {});
                Ok(())
            }
            Ok(Ok(Some(AgentMessage::Accepted(RunAcceptance::Superseded)))) => {
                script_progress.sent.set(false);
                Err(ConnectionOutcome::Done(script_progress.superseded()))
            }
            Ok(Ok(Some(AgentMessage::Refused(refusal)))) => {
                script_progress.sent.set(false);
                Err(ConnectionOutcome::Done(ScriptOutcome::Refused(refusal)))
            }
            Ok(Ok(Some(other))) => {
                Err(ConnectionOutcome::Done(script_progress.lost(unexpected(&other))))
            }
            Ok(Ok(None)) => Err(cut("the connection was cut")),
            Ok(Err(error)) => Err(ConnectionOutcome::Done(script_progress.lost(error.to_string()))),
            Err(_) => Err(cut("the agent did not start the script in time")),
        }
    }

    /// Asks to attach. A cancel that comes in the meantime is kept for whoever answers.
    async fn ask_for(
        &mut self,
        run: RunRequest,
        script_progress: &ScriptProgress,
        stops: &mut CancelSignals,
    ) -> Result<AgentReply, ConnectionOutcome> {
        let Self { read, write, decoder, patience, .. } = self;
        let stall = patience.send;
        send_within(stall, write, &ClientMessage::Run(run))
            .await
            .map_err(ConnectionOutcome::Cut)?;
        let answer = timeout(ATTACH_WITHIN, next(read, decoder));
        tokio::pin!(answer);
        loop {
            tokio::select! {
                answer = &mut answer => return Ok(answer),
                stop = stops.next() => {
                    if !script_progress.wish(stop) {
                        return Err(ConnectionOutcome::Done(ScriptOutcome::Left));
                    }
                }
                () = or_never(script_progress.leave_at().map(sleep_until)) => return Err(ConnectionOutcome::Done(ScriptOutcome::Left)),
            }
        }
    }

    /// Attaches a new session to the script that a former session started. If the agent never got
    /// the whole script, it is sent again.
    async fn attach(
        &mut self,
        run_id: &RandomToken,
        job: &TaskCommand,
        script_progress: &ScriptProgress,
        stops: &mut CancelSignals,
        cut_at: Instant,
    ) -> Result<(), ConnectionOutcome> {
        let offset = script_progress.received();
        let (run, _) = request(run_id, job, Some(offset), script_progress.join_streams);
        let answer = self.ask_for(run, script_progress, stops).await?;
        let away_ms = u64::try_from(cut_at.elapsed().as_millis()).unwrap_or(u64::MAX);
        let lost = |how: &str| Err(ConnectionOutcome::Done(script_progress.lost(how)));
        match answer {
            Ok(Ok(Some(AgentMessage::Accepted(
                RunAcceptance::Started | RunAcceptance::Resumed,
            )))) => {
                emit(JobEvent::SessionResumed { offset, away_ms });
                script_progress.set_started();
                Ok(())
            }
            Ok(Ok(Some(AgentMessage::Accepted(RunAcceptance::Unknown))))
                if script_progress.started.get() =>
            {
                lost("the agent knows nothing of the script that it has started")
            }
            Ok(Ok(Some(AgentMessage::Accepted(RunAcceptance::Unknown)))) => {
                emit(JobEvent::SessionSentAgain { away_ms });
                script_progress.sent.set(false);
                if script_progress.leave_at().is_some() {
                    return Err(ConnectionOutcome::Done(ScriptOutcome::Left));
                }
                self.start(run_id, job, script_progress, stops).await
            }
            Ok(Ok(Some(AgentMessage::Accepted(RunAcceptance::Superseded)))) => {
                Err(ConnectionOutcome::Done(script_progress.superseded()))
            }
            Ok(Ok(Some(AgentMessage::Accepted(RunAcceptance::Abandoned)))) => {
                lost("the agent has ended the script, because nobody listened for too long")
            }
            Ok(Ok(Some(AgentMessage::Refused(refusal)))) => {
                lost(&format!("the agent refused: {refusal}"))
            }
            Ok(Ok(Some(other))) => lost(&unexpected(&other)),
            Ok(Ok(None)) => Err(cut("the connection was cut")),
            Ok(Err(error)) => lost(&error.to_string()),
            Err(_) => Err(cut("the agent did not answer in time")),
        }
    }
}

/// The agent's answer to a request. It is an error if none comes.
type AgentReply = Result<Result<Option<AgentMessage>, FrameError>, Elapsed>;

fn cut(how: &str) -> ConnectionOutcome {
    ConnectionOutcome::Cut(how.to_owned())
}

/// Before the whole script was sent, the agent can only have refused it, or have got it through a
/// former connection. In the second case, attach to it.
fn refused_early(
    answer: Result<Option<AgentMessage>, FrameError>,
    script_progress: &ScriptProgress,
) -> ConnectionOutcome {
    match answer {
        Ok(Some(AgentMessage::Refused(refusal))) => {
            ConnectionOutcome::Done(ScriptOutcome::Refused(refusal))
        }
        Ok(Some(AgentMessage::Accepted(RunAcceptance::Superseded))) => {
            ConnectionOutcome::Done(script_progress.superseded())
        }
        Ok(Some(AgentMessage::Accepted(_))) => {
            cut("the script had already arrived through an earlier connection")
        }
        Ok(None) => cut("the agent left before it had the whole script"),
        Ok(Some(other)) => ConnectionOutcome::Done(script_progress.lost(unexpected(&other))),
        Err(error) => ConnectionOutcome::Done(script_progress.lost(error.to_string())),
    }
}

/// Why a message that has no place here ends the session.
fn unexpected(message: &AgentMessage) -> String {
    format!(
        "the agent broke the protocol: it sent a message that was not expected (`{}`)",
        message.name()
    )
}

/// A cancel came between the request and its answer. A script that has started gets it; one that
/// has not does not start, because the upload ends here.
async fn leave_early(write: &ChannelWriteHalf<Msg>, stop: CancelRequest) -> ConnectionOutcome {
    let _ = timeout(stop.leave_after, send(write, &signal(stop))).await;
    ConnectionOutcome::Done(ScriptOutcome::Left)
}

fn signal(stop: CancelRequest) -> ClientMessage {
    let grace_ms = u64::try_from(stop.grace.as_millis()).unwrap_or(u64::MAX);
    ClientMessage::Signal { signal: stop.signal, grace_ms }
}

fn request<'a>(
    run_id: &RandomToken,
    job: &'a TaskCommand,
    resume_from: Option<u64>,
    join_streams: bool,
) -> (RunRequest, &'a [u8]) {
    let (what, script): (RunCommand, &[u8]) = match job {
        TaskCommand::Script { shell, bytes } => {
            let sha256 = Sha256::digest(bytes).to_vec();
            let length = bytes.len() as u64;
            (RunCommand::Script { shell: shell.clone(), length, sha256 }, bytes)
        }
        TaskCommand::Argv(argv) => (RunCommand::Argv { argv: argv.clone() }, &[]),
    };
    let run_id = run_id.clone();
    let (target, env, cwd) = (None, Vec::new(), None);
    (RunRequest { run_id, target, what, env, cwd, resume_from, join_streams }, script)
}

/// Sends the request and the script. Each piece may take `stall`.
async fn upload(
    write: &ChannelWriteHalf<Msg>,
    run: RunRequest,
    script: &[u8],
    stall: Duration,
) -> Result<(), String> {
    send_within(stall, write, &ClientMessage::Run(run)).await?;
    for bytes in script.chunks(MAX_CHUNK) {
        send_within(stall, write, &ClientMessage::Script { bytes: bytes.to_vec() }).await?;
    }
    Ok(())
}

/// The way to the agent.
struct AgentWriter<'a> {
    write: &'a ChannelWriteHalf<Msg>,
    /// How long it may accept nothing.
    stall: Duration,
}

/// The time between a script's start and its end.
///
/// Reading and writing happen at the same time, and neither waits for the other. The SSH library
/// stops reading the network while nobody takes what it has read, so the reader must never send.
async fn listen(
    read: &mut ChannelReadHalf,
    writer: &AgentWriter<'_>,
    decoder: &mut FrameDecoder,
    script_progress: &ScriptProgress,
    console: &mut ConsoleWriter,
    stops: &mut CancelSignals,
) -> ConnectionOutcome {
    let progress = console.progress();
    let heard = hear(read, decoder, script_progress, console);
    tokio::pin!(heard);
    let spoken = tokio::select! {
        heard = &mut heard => return heard,
        spoken = speak(writer, script_progress, progress, &mut *stops) => spoken,
    };
    match spoken {
        // The agent has said how the script ended. Nothing that it could still be told changes
        // that.
        ConnectionOutcome::Cut(_) if script_progress.has_ended.get() => tokio::select! {
            heard = &mut heard => heard,
            _ = stops.next() => ConnectionOutcome::Done(ScriptOutcome::Left),
        },
        spoken => spoken,
    }
}

/// Sends acknowledgements and cancels. Returns when it is time to leave.
async fn speak(
    writer: &AgentWriter<'_>,
    script_progress: &ScriptProgress,
    mut progress: watch::Receiver<ConsoleProgress>,
    stops: &mut CancelSignals,
) -> ConnectionOutcome {
    let mut acknowledged = 0;
    let mut first = script_progress.stop.get().map(signal);
    if script_progress.received() > 0 {
        // The agent may still wait for acknowledgements that were lost with a former connection.
        acknowledged = progress.borrow().of_script();
        let ack = ClientMessage::Ack { offset: acknowledged };
        if let Err(how) = send_within(writer.stall, writer.write, &ack).await {
            return ConnectionOutcome::Cut(how);
        }
    }
    loop {
        let message = match first.take() {
            Some(message) => message,
            None => tokio::select! {
                biased;
                stop = stops.next() => {
                    if !script_progress.wish(stop) {
                        return ConnectionOutcome::Done(ScriptOutcome::Left);
                    }
                    signal(stop)
                }
                () = or_never(script_progress.leave_at().map(sleep_until)) => return ConnectionOutcome::Done(ScriptOutcome::Left),
                Ok(()) = progress.changed() => {
                    let now = *progress.borrow_and_update();
                    if let Some(failure) = now.closed {
                        return ConnectionOutcome::Done(ScriptOutcome::OutputClosed(failure));
                    }
                    let written = now.of_script();
                    let caught_up = written == script_progress.received();
                    if written - acknowledged < ACK_EVERY && !caught_up {
                        continue;
                    }
                    if written == acknowledged {
                        continue;
                    }
                    acknowledged = written;
                    ClientMessage::Ack { offset: written }
                }
            },
        };
        let sent = tokio::select! {
            sent = send_within(writer.stall, writer.write, &message) => sent,
            () = or_never(script_progress.leave_at().map(sleep_until)) => return ConnectionOutcome::Done(ScriptOutcome::Left),
        };
        if let Err(how) = sent {
            return ConnectionOutcome::Cut(how);
        }
    }
}

/// Reads what the agent says. It sends nothing.
async fn hear(
    read: &mut ChannelReadHalf,
    decoder: &mut FrameDecoder,
    script_progress: &ScriptProgress,
    console: &mut ConsoleWriter,
) -> ConnectionOutcome {
    loop {
        // Nothing is lost where a line of ours comes between: what has arrived stays in the decoder.
        let heard = tokio::select! {
            biased;
            heard = next(read, decoder) => heard,
            line = script_progress.notice() => {
                console.say(&line);
                continue;
            }
        };
        let (ending, by_itself) = match heard {
            Ok(Some(message)) => match take_in(message, script_progress, console) {
                Ok(None) => continue,
                Ok(Some(ended)) => ended,
                Err(outcome) => return ConnectionOutcome::Done(outcome),
            },
            Ok(None) => return cut("the connection was cut"),
            Err(error) => return ConnectionOutcome::Done(script_progress.lost(error.to_string())),
        };
        script_progress.has_ended.set(true);
        // The script has ended, but a slow reader may still have to read the last output.
        if let Some(failure) = console.drained().await.closed {
            return ConnectionOutcome::Done(ScriptOutcome::OutputClosed(failure));
        }
        return ConnectionOutcome::Done(ScriptOutcome::Ended {
            ending,
            sign: match (script_progress.is_terminating(), by_itself) {
                (false, _) => TaskCondition::Alive,
                (true, false) => TaskCondition::Ending,
                (true, true) => TaskCondition::EndingUnfelt,
            },
            stopped: script_progress.leave_at().is_some(),
            output_left: script_progress.output_left.get(),
        });
    }
}

/// How the script ended, and whether by itself, if the agent has said so.
fn take_in(
    message: AgentMessage,
    script_progress: &ScriptProgress,
    console: &mut ConsoleWriter,
) -> Result<Option<(ScriptExit, bool)>, ScriptOutcome> {
    let received = script_progress.received();
    match message {
        AgentMessage::Output { offset, stream, bytes } => {
            if offset != received {
                let gap = format!("output at {offset} where {received} was expected");
                return Err(script_progress.lost(gap));
            }
            let length = bytes.len() as u64;
            match console.put(stream, bytes) {
                Ok(()) => script_progress.received.set(received + length),
                Err(ConsoleError::Closed(failure)) => {
                    return Err(ScriptOutcome::OutputClosed(failure));
                }
                Err(error @ ConsoleError::Overrun) => {
                    return Err(script_progress.lost(error.to_string()));
                }
            }
            Ok(None)
        }
        AgentMessage::Exit { ending, offset, by_itself } if offset == received => {
            Ok(Some((ending, by_itself)))
        }
        AgentMessage::Exit { offset, .. } => {
            Err(script_progress.lost(format!("{received} of {offset} bytes of output arrived")))
        }
        AgentMessage::Notice(AgentNotice::Terminating | AgentNotice::LeaseEnded { .. }) => {
            script_progress.set_terminating();
            Ok(None)
        }
        AgentMessage::Notice(AgentNotice::OutputLeft) => {
            script_progress.output_left.set(true);
            Ok(None)
        }
        AgentMessage::Notice(AgentNotice::Superseded) => Err(script_progress.superseded()),
        AgentMessage::Refused(refusal) => {
            Err(script_progress.lost(format!("the agent refused: {refusal}")))
        }
        other @ (AgentMessage::HelloOk { .. }
        | AgentMessage::Accepted(_)
        | AgentMessage::Kept(_)) => Err(script_progress.lost(unexpected(&other))),
    }
}
