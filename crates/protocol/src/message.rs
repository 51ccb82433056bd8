//! The messages, in both directions, and what each promises.

use fargate_model::id::RandomToken;
use serde::{Deserialize, Serialize};

/// What the driver, or any other client, says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientMessage {
    /// First message: the versions that the client speaks and the challenge that a proof of the
    /// host key must contain.
    Hello {
        /// Versions that the client speaks.
        versions: Vec<u16>,
        /// 32 random bytes.
        #[serde(with = "serde_bytes")]
        challenge: Vec<u8>,
        /// Name and version of the client, for the agent's log.
        client: String,
    },
    /// How long the task may go on without a client, and in all.
    Lease(TaskLease),
    /// Starts something, or attaches to what this id has started. A new id first ends the former.
    /// After [`RunAcceptance::Unknown`] another may follow in the same conversation.
    Run(RunRequest),
    /// The next bytes of the script that [`RunCommand::Script`] announced.
    Script {
        /// At most [`crate::MAX_CHUNK`].
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
    },
    /// Everything below this offset has been written by the client and may be forgotten.
    Ack {
        /// Offset over both streams, in bytes.
        offset: u64,
    },
    /// Ends what runs: the signal now, KILL after the grace. The agent owns both from here on,
    /// also when the client leaves.
    Signal {
        /// What is sent at once to the whole process group.
        signal: ScriptSignal,
        /// Milliseconds until KILL.
        grace_ms: u64,
    },
}

/// What the agent says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AgentMessage {
    /// Answer to `Hello`.
    HelloOk {
        /// The version that both speak from here on.
        version: u16,
        /// Name and version of the agent.
        agent: String,
        /// Proof of the host key that contains the challenge; none in the `seed` mode, where the
        /// key itself is the proof.
        proof: Option<serde_bytes::ByteBuf>,
        /// What the agent can do beyond its version, see [`crate::FEATURES`]; unknown names mean
        /// nothing. Agents of before this field name none.
        #[serde(default)]
        features: Vec<String>,
        /// The day of its version, see [`crate::RELEASED`]. Agents of before this field tell none.
        #[serde(default)]
        released: Option<String>,
    },
    /// Answer to `Run`.
    Accepted(RunAcceptance),
    /// Bytes that the script wrote.
    Output {
        /// Position of the first byte, counted over both streams.
        offset: u64,
        /// Where the script wrote them.
        stream: ScriptStream,
        /// At most [`crate::MAX_CHUNK`].
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
    },
    /// The script ended and all its output was sent.
    Exit {
        /// How it ended.
        ending: ScriptExit,
        /// Bytes of output in all.
        offset: u64,
        /// It ended before any signal of the agent's or from outside of the task reached it, so this
        /// is its own end even if [`AgentNotice::Terminating`] came before. Agents of before this field,
        /// and those that cannot know it, say no.
        #[serde(default)]
        by_itself: bool,
    },
    /// Something that the client should know about the task, such as its coming end.
    Notice(AgentNotice),
    /// The request cannot be served; nothing was started.
    Refused(AgentRefusal),
}

/// See [`ClientMessage::Lease`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskLease {
    /// The task ends when no client came for this long since the last one was lost, in ms.
    pub idle_ms: u64,
    /// The task ends this long from now, whatever happens, in ms.
    pub deadline_ms: u64,
    /// What runs is ended when its client was gone for this long, in ms.
    pub client_gone_ms: u64,
    /// What still runs when a next run comes has this long between TERM and KILL, in ms; none
    /// leaves it to the agent.
    #[serde(default)]
    pub next_stage_grace_ms: Option<u64>,
    /// Names that the job's containers reach each other by. Not used by this version.
    #[serde(default)]
    pub hosts: Vec<(String, String)>,
}

/// See [`ClientMessage::Run`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRequest {
    /// Of one `run` process.
    pub run_id: RandomToken,
    /// A container of the task; none is the one that the agent lives in.
    pub target: Option<String>,
    /// What is started.
    pub what: RunCommand,
    /// Variables on top of the container's own.
    pub env: Vec<(String, String)>,
    /// Working directory; none is the container's own.
    pub cwd: Option<String>,
    /// `Some` only attaches, and asks for the output from this offset on; no script follows. Whoever
    /// attaches last is the one that is told. Needs [`crate::RESUME`].
    pub resume_from: Option<u64>,
    /// One pipe for both streams, so that their order is the script's; all of it is then told as
    /// [`ScriptStream::Stdout`]. Agents of before this field keep them apart.
    #[serde(default)]
    pub join_streams: bool,
}

/// What a [`RunRequest`] starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RunCommand {
    /// A script for a shell; it starts only when all of it has arrived and the hash matches.
    Script {
        /// Name or path of the shell.
        shell: String,
        /// Bytes that follow in `Script` messages.
        length: u64,
        /// SHA-256 of the script.
        #[serde(with = "serde_bytes")]
        sha256: Vec<u8>,
    },
    /// A program and its arguments.
    Argv {
        /// At least one.
        argv: Vec<String>,
    },
}

/// How a [`RunRequest`] was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RunAcceptance {
    /// A new process was started.
    Started,
    /// The process that this id started before; output follows from the offset asked for.
    Resumed,
    /// This id's process was ended because a newer id came.
    Superseded,
    /// This id has started nothing here.
    Unknown,
    /// This id's process was ended because no client was there for [`TaskLease::client_gone_ms`], and
    /// what it wrote is gone. Only an answer to [`RunRequest::resume_from`].
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
    /// SIGINT, for a person's Ctrl-C.
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
    /// The exit status as a shell would report it: 128 + n for a signal.
    #[must_use]
    pub fn status(self) -> u8 {
        match self {
            Self::Code { code } => code,
            Self::Signal { number } => 128_u8.saturating_add(number),
        }
    }
}

/// See [`AgentMessage::Notice`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AgentNotice {
    /// The task got SIGTERM: by StopTask, Spot or maintenance, because another container ended, or
    /// from a process of its own. The script may get its own only a while after this.
    Terminating,
    /// The lease ran out.
    LeaseEnded {
        /// Which limit: `idle` or `lifetime`.
        limit: String,
    },
    /// A newer run took this one's place.
    Superseded,
    /// The script ended, and a process that it left behind still holds its output: what it writes
    /// from here on is not passed on.
    OutputLeft,
}

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum AgentRefusal {
    /// No common version.
    #[error("it speaks versions {speaks:?}")]
    Version {
        /// What the agent speaks.
        speaks: Vec<u16>,
    },
    /// No such container, or it cannot be reached from here.
    #[error("no container {target:?} can be reached")]
    Target {
        /// What was asked for.
        target: String,
    },
    /// What was asked for cannot be started; nothing ran.
    #[error("{program} could not be started: {error}")]
    Start {
        /// The program or shell.
        program: String,
        /// The operating system's words.
        error: String,
    },
    /// The script is larger than the agent takes, or its hash does not match.
    #[error("the script is {what}")]
    Script {
        /// What is wrong with it.
        what: String,
    },
    /// Something else is being started or ended at this moment.
    #[error("what ran before has not ended yet")]
    Busy,
    /// The message does not fit at this point.
    #[error("it expected {what}")]
    Protocol {
        /// What was expected.
        what: String,
    },
    /// The task is about to end.
    #[error("the task is about to end")]
    Ending,
}
