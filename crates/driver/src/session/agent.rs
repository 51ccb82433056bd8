//! A conversation with our agent over an open connection: the subsystem, the hello, the lease, and
//! frames.
//!
//! What is said about a script is the matter of `run_script`.

use std::time::Duration;

use fargate_config::JobTimeouts;
use fargate_mask::SharedMasker;
use fargate_model::random;
use fargate_model::text::duration;
use fargate_protocol::{
    AgentMessage, AgentRefusal, CalendarDay, ClientMessage, FrameDecoder, FrameError,
    HostProofRequest, RESUME, SUBSYSTEM, VERSIONS, encode,
};
use fargate_state::version;
use russh::client::{Handle, Msg};
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::time::timeout;

use super::host_proof::HostProofAnswer;
use super::login::{HostKeyVerifier, LoginError, SshConnection, broken};
use super::script_progress::START_WITHIN;
use super::version_skew::AgentInfo;

/// Longest time for a goodbye. A peer that does not answer is not waited for.
pub(super) const FAREWELL: Duration = Duration::from_secs(1);
const STEP: &str = "hello";
/// Longest name of an agent that is kept, in characters.
const MAX_NAME: usize = 100;
/// Longest reason of an agent that is kept, in characters.
const MAX_REASON: usize = 300;

/// A conversation with an agent whose host key is proven.
pub struct AgentSession {
    pub(super) handle: Handle<HostKeyVerifier>,
    pub(super) read: ChannelReadHalf,
    pub(super) write: ChannelWriteHalf<Msg>,
    pub(super) decoder: FrameDecoder,
    /// What the agent said of itself.
    pub agent: AgentInfo,
    /// How long to wait for the agent.
    pub(super) patience: SessionTimeouts,
    masker: SharedMasker,
}

/// How long to wait for an agent.
#[derive(Clone, Copy, Debug)]
pub(super) struct SessionTimeouts {
    /// Until it has started a script that it has completely.
    pub(super) start: Duration,
    /// While it accepts nothing of what is sent.
    pub(super) send: Duration,
}

/// Who answered.
pub(super) enum AgentProbeResult {
    /// The agent, and what it answered about its host key.
    Agent(Box<AgentSession>, HostProofAnswer),
    /// An SSH server that does not know the agent's subsystem.
    Other(Box<SshConnection>),
}

/// Asks for the agent's subsystem, and says hello to it. `prove` asks it for a proof of its host key.
pub(super) async fn greet(
    connection: SshConnection,
    prove: Option<HostProofRequest>,
    timeouts: &JobTimeouts,
) -> Result<AgentProbeResult, LoginError> {
    let limit = timeouts.session_open;
    let start = START_WITHIN + timeouts.next_stage_grace;
    let patience = SessionTimeouts { start, send: timeouts.send_stall };
    match timeout(limit, call(connection, prove, patience)).await {
        Err(_) => Err(LoginError::Stalled { step: STEP, within: limit }),
        Ok(greeted) => greeted,
    }
}

async fn call(
    connection: SshConnection,
    prove: Option<HostProofRequest>,
    patience: SessionTimeouts,
) -> Result<AgentProbeResult, LoginError> {
    let opened = connection.handle.channel_open_session().await;
    let mut channel: Channel<Msg> =
        opened.map_err(|error| broken(STEP, &error, &connection.masker))?;
    let asked = channel.request_subsystem(true, SUBSYSTEM).await;
    asked.map_err(|error| broken(STEP, &error, &connection.masker))?;
    loop {
        match channel.wait().await {
            Some(ChannelMsg::Success) => break,
            Some(ChannelMsg::Failure | ChannelMsg::Close | ChannelMsg::Eof)
                if leave(&connection, &channel).await =>
            {
                return Ok(AgentProbeResult::Other(Box::new(connection)));
            }
            Some(ChannelMsg::Failure | ChannelMsg::Close | ChannelMsg::Eof) | None => {
                return Err(ended());
            }
            Some(_) => {}
        }
    }
    let (session, answer) = hello(connection, channel, prove, patience).await?;
    Ok(AgentProbeResult::Agent(Box::new(session), answer))
}

/// Ends the refused session, because a server may allow only one at a time. The library does not
/// tell when the server has closed it, but an answer to a later question comes after that. Returns
/// `false` if no answer comes, because then the connection itself has ended.
async fn leave(connection: &SshConnection, channel: &Channel<Msg>) -> bool {
    channel.close().await.is_ok() && is_open(&connection.handle).await
}

/// Whether the connection still brings an answer.
async fn is_open(handle: &Handle<HostKeyVerifier>) -> bool {
    handle.send_ping().await.is_ok() && !handle.is_closed()
}

fn ended() -> LoginError {
    LoginError::Broken { step: STEP, error: "the connection ended".to_owned() }
}

async fn hello(
    connection: SshConnection,
    channel: Channel<Msg>,
    prove: Option<HostProofRequest>,
    patience: SessionTimeouts,
) -> Result<(AgentSession, HostProofAnswer), LoginError> {
    let SshConnection { handle, masker, .. } = connection;
    let broken = |error: &dyn std::error::Error| broken(STEP, error, &masker);
    let (read, write) = channel.split();
    let challenge = random::bytes::<32>().map_err(|error| broken(&error))?;
    let hello = ClientMessage::Hello {
        versions: VERSIONS.to_vec(),
        challenge: challenge.to_vec(),
        client: format!("fargate-runner {}", version::this().version),
        prove,
    };
    send(&write, &hello).await.map_err(|error| broken(&error))?;
    let decoder = FrameDecoder::default();
    let agent = AgentInfo::default();
    let mut session =
        AgentSession { handle, read, write, decoder, agent, patience, masker: masker.clone() };
    match session.next().await.map_err(|error| broken(&error))? {
        Some(AgentMessage::HelloOk { version, agent, features, released, proof, unproven })
            if VERSIONS.contains(&version) =>
        {
            let name = masker.within(&agent, MAX_NAME);
            let day = released.as_deref().and_then(CalendarDay::parse);
            session.agent = AgentInfo { name, day, features };
            let unproven = unproven.map(|why| masker.within(&why, MAX_REASON));
            let answer = HostProofAnswer { challenge: hex::encode(challenge), proof, unproven };
            Ok((session, answer))
        }
        Some(AgentMessage::Refused(AgentRefusal::Version { speaks })) => {
            Err(LoginError::NotOurAgent {
                what: format!("the agent speaks versions {speaks:?}, this driver {VERSIONS:?}"),
            })
        }
        Some(_) => {
            Err(LoginError::NotOurAgent { what: "the agent did not answer our hello".to_owned() })
        }
        None if is_open(&session.handle).await => Err(not_an_agent()),
        None => Err(ended()),
    }
}

/// The error for an SSH server behind which nobody says hello.
pub(super) fn not_an_agent() -> LoginError {
    LoginError::NotOurAgent { what: "an SSH server answers, but not fargate-agent".to_owned() }
}

impl AgentSession {
    /// Whether the agent lets us attach to a script again after a cut. Older agents do not.
    #[must_use]
    pub fn resumes(&self) -> bool {
        self.agent.has(RESUME)
    }

    /// Tells the agent how long it may live without us.
    ///
    /// # Errors
    ///
    /// Returns [`LoginError::Broken`] if the connection breaks.
    pub async fn lease(&self, lease: fargate_protocol::TaskLease) -> Result<(), LoginError> {
        send(&self.write, &ClientMessage::Lease(lease))
            .await
            .map_err(|error| broken("lease", &error, &self.masker))
    }

    /// The agent's next message. `None` if it ended the conversation.
    async fn next(&mut self) -> Result<Option<AgentMessage>, FrameError> {
        next(&mut self.read, &mut self.decoder).await
    }

    /// Ends the conversation properly, within a second.
    pub async fn close(self) {
        let Self { handle, read, write, .. } = self;
        part(handle, read, write).await;
    }
}

/// Ends a connection properly, within a second.
pub(super) async fn part(
    handle: Handle<HostKeyVerifier>,
    read: ChannelReadHalf,
    write: ChannelWriteHalf<Msg>,
) {
    // Nobody reads any more, and a library that waits for a reader could not take the goodbye.
    drop(read);
    let _ = timeout(FAREWELL, async {
        let _ = write.eof().await;
        let _ = handle.disconnect(russh::Disconnect::ByApplication, "", "").await;
        let _ = handle.await;
    })
    .await;
}

pub(super) async fn next(
    read: &mut ChannelReadHalf,
    decoder: &mut FrameDecoder,
) -> Result<Option<AgentMessage>, FrameError> {
    loop {
        if let Some(message) = decoder.take()? {
            return Ok(Some(message));
        }
        match read.wait().await {
            Some(ChannelMsg::Data { data }) => decoder.push(&data),
            None | Some(ChannelMsg::Eof | ChannelMsg::Close | ChannelMsg::Failure) => {
                return Ok(None);
            }
            Some(_) => {}
        }
    }
}

/// Sends data to a peer that accepts it. Each piece may take `stall`. The time for all of it
/// depends on the network, and has no limit.
///
/// # Errors
///
/// Returns words for a connection that is lost, or accepts nothing.
pub(super) async fn send_within(
    stall: Duration,
    write: &ChannelWriteHalf<Msg>,
    message: &ClientMessage,
) -> Result<(), String> {
    taken_within(stall, send(write, message)).await
}

/// Waits for `sending`. Returns words for a peer that accepted nothing for `stall`.
pub(super) async fn taken_within(
    stall: Duration,
    sending: impl Future<Output = Result<(), russh::Error>>,
) -> Result<(), String> {
    match timeout(stall, sending).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(format!("the connection was cut ({error})")),
        Err(_) => Err(format!("the task took nothing of what it was sent for {}", duration(stall))),
    }
}

pub(super) async fn send(
    write: &ChannelWriteHalf<Msg>,
    message: &ClientMessage,
) -> Result<(), russh::Error> {
    let frame = encode(message).map_err(|error| russh::Error::IO(std::io::Error::other(error)))?;
    write.data_bytes(frame).await
}
