//! The messages that driver and agent send each other in one SSH session, and the versions of them.
//!
//! A frame is a length (u32, big-endian) and that many bytes of MessagePack with field names, at
//! most [`MAX_FRAME`] bytes. A side skips fields that it does not know. So the version number grows
//! only when the meaning of something changes.
//!
//! This crate encodes and decodes. It does no I/O.

mod day;
mod frame;
mod host_proof;
mod message;
mod task_keep;
mod task_lease;

pub use day::CalendarDay;
pub use frame::{FrameDecoder, FrameError, MAX_FRAME, encode};
pub use host_proof::{
    BY_TASK_ROLE, CHALLENGE_LENGTH, HOST_KEY_VARIABLE, HostProof, HostProofRequest,
    HostProofStatement, PROOF_BODY, PROOF_SERVICE,
};
pub use message::{
    AgentMessage, AgentNotice, AgentRefusal, ClientMessage, RunAcceptance, RunCommand, RunRequest,
    ScriptExit, ScriptSignal, ScriptStream,
};
pub use task_keep::{MAX_TRACES, SecretTrace, TaskKeepReport, TaskKeepRequest};
pub use task_lease::TaskLease;

/// The name of the SSH subsystem in which frames are exchanged.
pub const SUBSYSTEM: &str = "fargate-runner";

/// The versions that this build speaks. The best one is last.
pub const VERSIONS: &[u16] = &[1];

/// A feature that an agent names in its hello: [`RunRequest::resume_from`] attaches to a script
/// that still runs after a connection was lost. A client must not use it if the agent does not name
/// it.
pub const RESUME: &str = "resume";

/// A feature that an agent names in its hello: it can prove a host key that it made itself by the
/// role of its task. An agent without it answers a request for a proof with none.
pub const HOST_PROOF: &str = "host-proof";

/// A feature that an agent names in its hello: it writes the values of variables that begin with
/// [`SECRET_FILE_PREFIX`] into files. An agent without it hides such a variable, and scripts get nothing.
pub const SECRET_FILES: &str = "secret-files";

/// A feature that an agent names in its hello: [`ClientMessage::Keep`] ends all processes of the job,
/// wipes what is secret, and keeps the task for a person. An agent that is not process 1 cannot know
/// which processes are the job's, and does not name it.
pub const KEEP: &str = "keep";

/// The beginning of the name of a variable whose value the agent writes into a file that only the job's
/// user may read. Scripts get the rest of the name, with the path of the file.
pub const SECRET_FILE_PREFIX: &str = "FARGATE_RUNNER_SECRET_FILE_";

/// A feature that an agent names in its hello: a session for a person can have a terminal (`pty-req`,
/// `shell`, `window-change`). An older agent runs plain commands only.
pub const TERMINAL: &str = "terminal";

/// Most shells and commands of people at a time in one task, beside the script.
pub const MAX_SIDE_SESSIONS: usize = 8;

/// The day on which this version got its number, as `YYYY-MM-DD`. It changes with the number only,
/// so two builds of one version are equal.
pub const RELEASED: &str = "2026-11-21";

/// The features that the agent of this build has beyond its version.
pub const FEATURES: &[&str] = &[RESUME, HOST_PROOF, TERMINAL, SECRET_FILES, KEEP];

/// Exit code of an agent that a process of its own task told to end; ECS reports it.
///
/// If the signal came from outside, or if nobody knows from where, the agent ends with 143. Older
/// agents end with 143 in both cases. No other code of the agent has this number.
pub const ENDED_FROM_INSIDE: u8 = 72;

/// Most output, in bytes, that the agent holds until the driver acknowledges it. If it is full, the
/// writes of the script block.
pub const WINDOW: usize = 4 * 1024 * 1024;

/// Longest piece of output or of a script in one frame, in bytes. It leaves room for the other
/// fields.
pub const MAX_CHUNK: usize = 32 * 1024;

/// Largest script that an agent accepts, in bytes.
pub const MAX_SCRIPT: u64 = 256 * 1024 * 1024;

/// The best version that both sides speak, or `None` if there is none.
#[must_use]
pub fn common_version(theirs: &[u16]) -> Option<u16> {
    VERSIONS.iter().rev().copied().find(|version| theirs.contains(version))
}
