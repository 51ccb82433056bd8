//! What driver and agent say to each other inside one SSH session, and in which versions.
//!
//! Each frame is a length (u32, big-endian) and that many bytes of MessagePack with field names,
//! at most [`MAX_FRAME`] bytes. Fields that a side does not know are skipped, so a version number
//! grows only when a meaning changes. A leaf: it encodes and decodes, it does no I/O.

mod day;
mod frame;
mod message;

pub use day::CalendarDay;
pub use frame::{FrameDecoder, FrameError, MAX_FRAME, encode};
pub use message::{
    AgentMessage, AgentNotice, AgentRefusal, ClientMessage, RunAcceptance, RunCommand, RunRequest,
    ScriptExit, ScriptSignal, ScriptStream, TaskLease,
};

/// The name of the SSH subsystem in which frames are exchanged.
pub const SUBSYSTEM: &str = "fargate-runner";

/// The versions that this build speaks, best last.
pub const VERSIONS: &[u16] = &[1];

/// A feature that an agent names in its hello: [`RunRequest::resume_from`] attaches to what a lost
/// connection has left running. Without the name a client must not use it.
pub const RESUME: &str = "resume";

/// The day of this version, `YYYY-MM-DD`: when its number was given, whenever and wherever it is
/// built, so that two builds of it are alike. It changes with the number.
pub const RELEASED: &str = "2026-11-21";

/// The features that this build's agent has beyond its version.
pub const FEATURES: &[&str] = &[RESUME];

/// Exit code of an agent that was told to end by a process of its own task, which ECS reports. Told
/// from outside, or by it knows not whom, it ends with 143, as agents of before this code do for
/// both. A free code of ours, beside those of the agent's limits.
pub const ENDED_FROM_INSIDE: u8 = 72;

/// Output that the agent holds while the driver has not acknowledged it, in bytes. When it is
/// full, the script's writes block.
pub const WINDOW: usize = 4 * 1024 * 1024;

/// Longest piece of output or script in one frame, in bytes; leaves room for the frame's fields.
pub const MAX_CHUNK: usize = 32 * 1024;

/// Largest script that an agent accepts, in bytes.
pub const MAX_SCRIPT: u64 = 256 * 1024 * 1024;

/// The best version that both sides speak.
#[must_use]
pub fn common_version(theirs: &[u16]) -> Option<u16> {
    VERSIONS.iter().rev().copied().find(|version| theirs.contains(version))
}
