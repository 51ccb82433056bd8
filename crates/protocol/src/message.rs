//! The messages in both directions, and what each of them promises.
//!
//! How they become bytes is the matter of `frame`; when they are sent is the matter of driver and
//! agent.

use fargate_model::id::RandomToken;
use serde::{Deserialize, Serialize};

use crate::host_proof::{HostProof, HostProofRequest};
use crate::task_keep::{TaskKeepReport, TaskKeepRequest};
use crate::task_lease::TaskLease;

/// What a client says to the agent. The driver is a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientMessage {
    /// The first message. It names the versions that the client speaks, and a challenge that a
    /// proof of the host key must contain.
    Hello {
        /// Versions that the client speaks.
        versions: Vec<u16>,
        /// 32 random bytes.
        #[serde(with = "serde_bytes")]
        challenge: Vec<u8>,
        /// Name and version of the client, for the agent's log.
        client: String,
        /// Asks for a proof of the host key by the role of the task. Agents from before this field
        /// give none.
        #[serde(default)]
        prove: Option<HostProofRequest>,
    },
    /// How long the task may live without a client, and how long in all.
    Lease(TaskLease),
    /// Starts something, or attaches to what the same id started before. A new id first ends the
    /// former run.
    ///
    /// After [`RunAcceptance::Unknown`] the client may send another `Run` in the same conversation.
    Run(RunRequest),
    /// The next bytes of the script that [`RunCommand::Script`] announced.
    Script {
        /// At most [`crate::MAX_CHUNK`].
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
    },
    /// The client has written all output below this offset, so the agent may forget it.
    Ack {
        /// Position in bytes, counted over both streams.
        offset: u64,
    },
    /// Ends what runs: sends the signal at once, and KILL after the grace. The agent does both from
    /// here on, even if the client leaves.
    Signal {
        /// The signal that the whole process group gets at once.
        signal: ScriptSignal,
        /// Time until KILL, in ms.
        grace_ms: u64,
    },
    /// Ends all processes of the job, wipes what is secret, and then keeps the task for a person. The
    /// agent must name [`crate::KEEP`].
    Keep(TaskKeepRequest),
}

/// What the agent says to a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AgentMessage {
    /// The answer to `Hello`.
    HelloOk {
        /// The version that both sides speak from now on.
        version: u16,
        /// Name and version of the agent.
        agent: String,
        /// Proof of the host key, which contains the challenge. `None` if the client asked for
        /// none, for example in the `seed` mode, where the key itself is the proof.
        proof: Option<HostProof>,
        /// What the agent can do beyond its version, see [`crate::FEATURES`]. Ignore a name that
        /// you do not know. Agents from before this field name nothing.
        #[serde(default)]
        features: Vec<String>,
        /// The day of the agent's version, see [`crate::RELEASED`]. Agents from before this field
        /// name none.
        #[serde(default)]
        released: Option<String>,
        /// Why there is no proof although the client asked for one, for people.
        #[serde(default)]
        unproven: Option<String>,
    },
    /// The answer to `Run`.
    Accepted(RunAcceptance),
    /// Bytes that the script wrote.
    Output {
        /// Position of the first byte, counted over both streams.
        offset: u64,
        /// The stream to which the script wrote them.
        stream: ScriptStream,
        /// At most [`crate::MAX_CHUNK`].
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
    },
    /// The script ended, and all its output was sent.
    Exit {
        /// How it ended.
        ending: ScriptExit,
        /// All bytes of its output.
        offset: u64,
        /// Whether the script ended before any signal from the agent or from outside the task
        /// reached it. Then this is its own end, even if [`AgentNotice::Terminating`] came before.
        ///
        /// Agents from before this field say no, and so do agents that cannot know it.
        #[serde(default)]
        by_itself: bool,
    },
    /// Something that the client should know about the task, for example that it will end.
    Notice(AgentNotice),
    /// The agent refuses the request. Nothing was started.
    Refused(AgentRefusal),
    /// The answer to `Keep`: everything was wiped, and the task is kept.
    Kept(TaskKeepReport),
}

impl AgentMessage {
    /// The name of the message, as it is in the frame.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::HelloOk { .. } => "HelloOk",
            Self::Accepted(_) => "Accepted",
            Self::Output { .. } => "Output",
            Self::Exit { .. } => "Exit",
            Self::Notice(_) => "Notice",
            Self::Refused(_) => "Refused",
            Self::Kept(_) => "Kept",
        }
    }
}

/// What to start or to attach to: the body of [`ClientMessage::Run`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRequest {
    /// The id of one `run` process of the driver.
    pub run_id: RandomToken,
    /// A container of the task. `None` is the container in which the agent runs.
    pub target: Option<String>,
    /// What to start.
    pub what: RunCommand,
    /// Variables, in addition to those of the container.
    pub env: Vec<(String, String)>,
    /// Working directory. `None` is the one of the container.
    pub cwd: Option<String>,
    /// `Some` attaches only, and asks for the output from this offset on; no script follows. If
    /// several clients attach, the last one gets the output. The agent must name [`crate::RESUME`].
    pub resume_from: Option<u64>,
    /// Use one pipe for both streams, so that their order is kept. All output is then
    /// [`ScriptStream::Stdout`]. Agents from before this field keep the streams apart.
    #[serde(default)]
    pub join_streams: bool,
}

/// What a [`RunRequest`] starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RunCommand {
    /// A script for a shell. It starts only after all of it has arrived and its hash matches.
    Script {
        /// Name or path of the shell.
        shell: String,
        /// How many bytes follow in `Script` messages.
        length: u64,
        /// SHA-256 of the script.
        #[serde(with = "serde_bytes")]
        sha256: Vec<u8>,
    },
    /// A program and its arguments.
    Argv {
        /// The program and its arguments; at least one.
        argv: Vec<String>,
    },
}

/// How the agent took a [`RunRequest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RunAcceptance {
    /// It started a new process.
    Started,
    /// It attached the client to the process that this id started before. The output from the
    /// requested offset on follows.
    Resumed,
    /// It ended the process of this id, because a newer id came.
    Superseded,
    /// This id has started nothing here.
    Unknown,
    /// It ended the process of this id, because no client was connected for
    /// [`TaskLease::client_gone_ms`]. The output is gone. It is only an answer to
    /// [`RunRequest::resume_from`].
    Abandoned,
}

/// The two streams of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ScriptStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Signals that a client may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ScriptSignal {
    /// SIGTERM.
    Term,
    /// SIGINT, for Ctrl-C.
    Int,
    /// SIGKILL.
    Kill,
}

/// How a script ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ScriptExit {
    /// It exited.
    Code {
        /// Its exit status.
        code: u8,
    },
    /// A signal ended it.
    Signal {
        /// The signal's number.
        number: u8,
    },
}

impl ScriptExit {
    /// The exit status as a shell reports it: 128 + n for a signal.
    #[must_use]
    pub fn status(self) -> u8 {
        match self {
            Self::Code { code } => code,
            Self::Signal { number } => 128_u8.saturating_add(number),
        }
    }
}

/// What happened in the task: the body of [`AgentMessage::Notice`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AgentNotice {
    /// The task got SIGTERM: from StopTask, Spot or maintenance, because another container ended,
    /// or from a process of the task. The script may get its signal some time later.
    Terminating,
    /// The lease is over.
    LeaseEnded {
        /// The limit that was reached: `idle` or `lifetime`.
        limit: String,
    },
    /// A newer run replaced this one.
    Superseded,
    /// The script ended, but a process that it left behind still holds its output. What that
    /// process writes from now on is not sent.
    OutputLeft,
}

/// Why the agent refuses a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum AgentRefusal {
    /// Driver and agent have no version in common.
    #[error("it speaks versions {speaks:?}")]
    Version {
        /// The versions that the agent speaks.
        speaks: Vec<u16>,
    },
    /// There is no such container, or the agent cannot reach it.
    #[error("it cannot reach container {target:?}")]
    Target {
        /// The container that was requested.
        target: String,
    },
    /// The program could not be started. Nothing ran.
    #[error("{program} could not be started: {error}")]
    Start {
        /// The program or shell.
        program: String,
        /// The message of the operating system.
        error: String,
    },
    /// The script is too large for the agent, or its hash does not match.
    #[error("the script is {what}")]
    Script {
        /// What is wrong with it.
        what: String,
    },
    /// The agent is still starting or ending something else.
    #[error("the script before this one has not ended yet")]
    Busy,
    /// The agent did not expect this message now.
    #[error("it expected {what}")]
    Protocol {
        /// What the agent expected.
        what: String,
    },
    /// The task is about to end.
    #[error("the task is about to end")]
    Ending,
    /// The task cannot be kept, because not all that is secret could be wiped.
    #[error("{what}")]
    Keep {
        /// What could not be done.
        what: String,
    },
    /// The task is kept for a person, and runs no script any more.
    #[error("the task is kept for a person to look into it")]
    Kept,
}
