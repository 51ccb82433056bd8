//! The conversation with one client over frames: hello, lease, one run, its output and its end.
//!
//! It reads and writes at the same time. If it did not read while it writes, the acknowledgements
//! of a slow client would wait behind the output that waits for them.
//!
//! Processes and deadlines are the matter of `stage`.

use std::sync::Arc;
use std::time::Duration;

use fargate_model::text::{error_chain, escape_within};
use fargate_protocol::{
    AgentMessage, AgentNotice, AgentRefusal, ClientMessage, FEATURES, FrameDecoder, FrameError,
    HostProof, HostProofRequest, KEEP, MAX_SCRIPT, RELEASED, RunAcceptance, RunCommand, RunRequest,
    ScriptSignal, VERSIONS, common_version, encode,
};
use russh::server::Msg;
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::time::timeout;

use crate::host_proof::HostProofError;
use crate::keep;
use crate::memory_file::IncomingScript;
use crate::output::{OutputLeftover, OutputRead};
use crate::stage::{ScriptRun, SignalRequest, StageAttachment};
use crate::task::{AgentTask, RunLookup};

/// Longest time from the start of the subsystem to `Hello`.
const HELLO: Duration = Duration::from_secs(15);
/// Longest time between two pieces of a script.
const UPLOAD_STALL: Duration = Duration::from_secs(60);
/// Longest time from `Exit` until the client closes the channel.
const GOODBYE: Duration = Duration::from_secs(10);
/// Longest reason for a proof that is not given, in characters.
const LONGEST_REASON: usize = 300;
/// Longest grace that a client may ask for, in ms: an hour.
const MAX_GRACE_MS: u64 = 3_600_000;

/// Why a conversation ended early. The client only sees that the channel is closed, so this is for
/// the log.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    #[error("the client left")]
    Left,
    #[error("the client sent nothing in time")]
    Silent,
    #[error("the client returned through another connection")]
    Displaced,
    #[error("reading the client's frames")]
    Frame(#[from] FrameError),
    #[error("using the SSH channel")]
    Channel(#[from] russh::Error),
    #[error("keeping the script in memory")]
    Memory(#[from] std::io::Error),
}

/// Talks with a client until one side leaves.
///
/// # Errors
///
/// Returns [`SessionError`] if the client leaves early, stays silent, sends bytes that are no
/// frames, or returns through another connection. The script runs on until
/// [`LeaseTracker::client_gone`](crate::lease::LeaseTracker::client_gone) has passed.
pub async fn serve(task: &AgentTask, channel: Channel<Msg>) -> Result<(), SessionError> {
    let (read, write) = channel.split();
    let mut inbox = FrameReader { read, decoder: FrameDecoder::default() };
    let outbox = FrameWriter { write };
    match timeout(HELLO, inbox.expect()).await.map_err(|_| SessionError::Silent)?? {
        ClientMessage::Hello { versions, challenge, prove, .. } => {
            match common_version(&versions) {
                Some(version) => {
                    let (proof, unproven) = prove_host(task, prove.as_ref(), &challenge).await;
                    let agent = crate::VERSION.to_owned();
                    let has = |feature: &&&str| task.is_alone || **feature != KEEP;
                    let features = FEATURES.iter().filter(has).map(|&f| f.to_owned()).collect();
                    let released = Some(RELEASED.to_owned());
                    let hello = AgentMessage::HelloOk {
                        version,
                        agent,
                        proof,
                        features,
                        released,
                        unproven,
                    };
                    outbox.send(&hello).await?;
                }
                None => {
                    return outbox
                        .refuse(AgentRefusal::Version { speaks: VERSIONS.to_vec() })
                        .await;
                }
            }
        }
        _ => return outbox.refuse(AgentRefusal::Protocol { what: "a hello first".into() }).await,
    }
    // Only who leases the task or runs a script in it keeps it from being idle. A person who looks into
    // it, and asks here what the agent can do, does not.
    let mut present = None;
    loop {
        match inbox.next().await? {
            None => return Ok(()),
            Some(ClientMessage::Lease(lease)) => {
                present.get_or_insert_with(|| task.lease.client());
                task.lease.renew(&lease);
            }
            Some(ClientMessage::Keep(request)) => {
                present.get_or_insert_with(|| task.lease.client());
                match keep::keep(task, request).await {
                    Ok(report) => outbox.send(&AgentMessage::Kept(report)).await?,
                    Err(refusal) => return outbox.refuse(refusal).await,
                }
            }
            Some(ClientMessage::Run(run)) => {
                present.get_or_insert_with(|| task.lease.client());
                let number = task.next_conversation();
                match take(task, &run, number, &mut inbox).await? {
                    RunRequestOutcome::Stage { stage, how, offset } => {
                        let Some(attached) = stage.attach(number) else {
                            return outbox.answer(RunAcceptance::Abandoned).await;
                        };
                        outbox.send(&AgentMessage::Accepted(how)).await?;
                        return attend(task, &stage, &attached, offset, inbox, outbox).await;
                    }
                    // The client asked whether its script was started here. It was not, so the
                    // client may send it now.
                    RunRequestOutcome::Nothing(RunAcceptance::Unknown) => {
                        outbox.send(&AgentMessage::Accepted(RunAcceptance::Unknown)).await?;
                    }
                    RunRequestOutcome::Nothing(how) => return outbox.answer(how).await,
                    RunRequestOutcome::Refused(refusal) => return outbox.refuse(refusal).await,
                }
            }
            Some(_) => {
                return outbox
                    .refuse(AgentRefusal::Protocol { what: "a run or a lease".into() })
                    .await;
            }
        }
    }
}

/// The proof of the host key that the client asks for, or why there is none.
async fn prove_host(
    task: &AgentTask,
    asked: Option<&HostProofRequest>,
    challenge: &[u8],
) -> (Option<HostProof>, Option<String>) {
    let Some(asked) = asked else { return (None, None) };
    let proven = match &task.prover {
        Some(prover) => prover.prove(asked, challenge).await,
        None => Err(HostProofError::NotMade),
    };
    match proven {
        Ok(proof) => (Some(proof), None),
        Err(error) => (None, Some(escape_within(&error_chain(&error), LONGEST_REASON))),
    }
}

/// Sends the output of a stage to its client, and reads the client's messages, until one of both is
/// done.
async fn attend(
    task: &AgentTask,
    stage: &ScriptRun,
    attached: &StageAttachment<'_>,
    offset: u64,
    mut inbox: FrameReader,
    outbox: FrameWriter,
) -> Result<(), SessionError> {
    let listening = listen(task, stage, &mut inbox);
    tokio::pin!(listening);
    tokio::select! {
        told = tell(task, stage, offset, &outbox) => told?,
        heard = &mut listening => return heard,
        () = attached.displaced() => return Err(SessionError::Displaced),
    }
    outbox.leave().await?;
    // The client closes the channel, or its connection breaks. Either way it is done.
    let _ = timeout(GOODBYE, listening).await;
    Ok(())
}

/// What came of a request for a run.
enum RunRequestOutcome {
    /// The stage runs or has run. The client wants its output from `offset` on.
    Stage { stage: Arc<ScriptRun>, how: RunAcceptance, offset: u64 },
    /// There is no stage to attach to.
    Nothing(RunAcceptance),
    /// Nothing was started.
    Refused(AgentRefusal),
}

/// Attaches to the stage that this id started, or starts a new one.
async fn take(
    task: &AgentTask,
    run: &RunRequest,
    number: u64,
    inbox: &mut FrameReader,
) -> Result<RunRequestOutcome, SessionError> {
    if let Some(target) = &run.target {
        return Ok(RunRequestOutcome::Refused(AgentRefusal::Target { target: target.clone() }));
    }
    let offset = run.resume_from.unwrap_or(0);
    match (task.find(&run.run_id), run.resume_from) {
        (RunLookup::Stage(stage), _) if offset > stage.output.end() => {
            let what = "an offset that was written before".into();
            return Ok(RunRequestOutcome::Refused(AgentRefusal::Protocol { what }));
        }
        (RunLookup::Stage(stage), _) => {
            return Ok(RunRequestOutcome::Stage { stage, how: RunAcceptance::Resumed, offset });
        }
        (RunLookup::Former, _) => return Ok(RunRequestOutcome::Nothing(RunAcceptance::Superseded)),
        (RunLookup::Nothing, Some(_)) => {
            return Ok(RunRequestOutcome::Nothing(RunAcceptance::Unknown));
        }
        (RunLookup::Nothing, None) => {}
    }
    task.make_way_for(&run.run_id);
    let stdin = match receive_script(&run.what, inbox).await? {
        Ok(stdin) => stdin,
        Err(refusal) => return Ok(RunRequestOutcome::Refused(refusal)),
    };
    Ok(match task.start(run, number, stdin).await {
        Ok(RunLookup::Stage(stage)) => {
            RunRequestOutcome::Stage { stage, how: RunAcceptance::Started, offset: 0 }
        }
        Ok(RunLookup::Former | RunLookup::Nothing) => {
            RunRequestOutcome::Nothing(RunAcceptance::Superseded)
        }
        Err(refusal) => RunRequestOutcome::Refused(refusal),
    })
}

/// Receives the whole script as standard input. No part of it runs before all of it is here and its
/// hash matches.
async fn receive_script(
    what: &RunCommand,
    inbox: &mut FrameReader,
) -> Result<Result<std::process::Stdio, AgentRefusal>, SessionError> {
    let script_is = |what: &str| Ok(Err(AgentRefusal::Script { what: what.to_owned() }));
    let (length, sha256) = match what {
        RunCommand::Argv { .. } => return Ok(Ok(std::process::Stdio::null())),
        RunCommand::Script { length, .. } if *length > MAX_SCRIPT => {
            return script_is("larger than 256 MiB");
        }
        RunCommand::Script { length, sha256, .. } => (*length, sha256.clone()),
    };
    let mut script = IncomingScript::new(length, sha256)?;
    while !script.is_complete() {
        let next = timeout(UPLOAD_STALL, inbox.expect()).await;
        match next.map_err(|_| SessionError::Silent)?? {
            ClientMessage::Script { bytes } => {
                if !script.push(&bytes)? {
                    return script_is("longer than announced");
                }
            }
            _ => return Ok(Err(AgentRefusal::Protocol { what: "the rest of the script".into() })),
        }
    }
    match script.into_stdin()? {
        Some(stdin) => Ok(Ok(stdin)),
        None => script_is("not the announced one: its hash differs"),
    }
}

/// Sends the output from `offset` on, then how the script ended.
async fn tell(
    task: &AgentTask,
    stage: &ScriptRun,
    mut offset: u64,
    outbox: &FrameWriter,
) -> Result<(), SessionError> {
    let mut changes = stage.output.subscribe();
    let mut ending = task.ending.subscribe();
    // The task may have begun to end before this client attached. Tell it all the same.
    ending.mark_changed();
    let mut superseded = stage.superseded.subscribe();
    loop {
        if ending.has_changed().unwrap_or(false) {
            let notice = ending.borrow_and_update().clone();
            if let Some(notice) = notice {
                outbox.send(&AgentMessage::Notice(notice)).await?;
            }
        }
        if *superseded.borrow_and_update() {
            outbox.send(&AgentMessage::Notice(AgentNotice::Superseded)).await?;
            return Ok(());
        }
        // Mark before reading: output that arrives after the read wakes the wait below.
        changes.mark_unchanged();
        match stage.output.read(offset) {
            OutputRead::Bytes(stream, bytes) => {
                let length = bytes.len() as u64;
                outbox.send(&AgentMessage::Output { offset, stream, bytes }).await?;
                offset += length;
            }
            OutputRead::End(ending) => {
                if stage.output.left() == Some(OutputLeftover::Writers) {
                    outbox.send(&AgentMessage::Notice(AgentNotice::OutputLeft)).await?;
                }
                let by_itself = task.is_alone && stage.ended_by_itself();
                return outbox.send(&AgentMessage::Exit { ending, offset, by_itself }).await;
            }
            OutputRead::Gone => {
                let what = "an offset that was not acknowledged before".into();
                return outbox.send(&AgentMessage::Refused(AgentRefusal::Protocol { what })).await;
            }
            OutputRead::NotYet => tokio::select! {
                _ = changes.changed() => {}
                _ = ending.changed() => ending.mark_changed(),
                _ = superseded.changed() => {}
            },
        }
    }
}

/// Takes acknowledgements and signals until the client leaves.
async fn listen(
    task: &AgentTask,
    stage: &ScriptRun,
    inbox: &mut FrameReader,
) -> Result<(), SessionError> {
    while let Some(message) = inbox.next().await? {
        match message {
            ClientMessage::Ack { offset } => {
                if !stage.output.acknowledge(offset) {
                    return Err(SessionError::Left);
                }
            }
            ClientMessage::Signal { signal, grace_ms } => {
                let signal = match signal {
                    ScriptSignal::Term => nix::sys::signal::Signal::SIGTERM,
                    ScriptSignal::Int => nix::sys::signal::Signal::SIGINT,
                    ScriptSignal::Kill => nix::sys::signal::Signal::SIGKILL,
                };
                let grace = Duration::from_millis(grace_ms.min(MAX_GRACE_MS));
                stage.order(SignalRequest { signal, grace });
            }
            ClientMessage::Lease(lease) => task.lease.renew(&lease),
            // The rest of a script that arrived before, through a connection that broke.
            ClientMessage::Script { .. } => {}
            ClientMessage::Hello { .. } | ClientMessage::Run(_) | ClientMessage::Keep(_) => {
                return Err(SessionError::Left);
            }
        }
    }
    Ok(())
}

struct FrameReader {
    read: ChannelReadHalf,
    decoder: FrameDecoder,
}

impl FrameReader {
    /// The next message, or `None` if the client closed the channel.
    async fn next(&mut self) -> Result<Option<ClientMessage>, SessionError> {
        loop {
            if let Some(message) = self.decoder.take()? {
                return Ok(Some(message));
            }
            match self.read.wait().await {
                Some(ChannelMsg::Data { data }) => self.decoder.push(&data),
                None | Some(ChannelMsg::Eof | ChannelMsg::Close) => return Ok(None),
                Some(_) => {}
            }
        }
    }

    async fn expect(&mut self) -> Result<ClientMessage, SessionError> {
        self.next().await?.ok_or(SessionError::Left)
    }
}

struct FrameWriter {
    write: ChannelWriteHalf<Msg>,
}

impl FrameWriter {
    async fn send(&self, message: &AgentMessage) -> Result<(), SessionError> {
        Ok(self.write.data_bytes(encode(message)?).await?)
    }

    async fn answer(&self, how: RunAcceptance) -> Result<(), SessionError> {
        self.send(&AgentMessage::Accepted(how)).await?;
        self.leave().await
    }

    async fn refuse(&self, refusal: AgentRefusal) -> Result<(), SessionError> {
        self.send(&AgentMessage::Refused(refusal)).await?;
        self.leave().await
    }

    async fn leave(&self) -> Result<(), SessionError> {
        Ok(self.write.eof().await?)
    }
}
