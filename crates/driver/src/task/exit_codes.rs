//! The exit codes of containers that we know, and the words of ECS for memory that ran out. What they
//! say about a task is decided elsewhere.

/// Exit code after SIGTERM. An agent that was told to end from outside has it as well.
pub(super) const TERMINATED: i32 = 143;
/// Exit code after SIGKILL.
pub(super) const KILLED: i32 = 137;
/// Exit codes of `fargate-agent`: its idle limit, its lifetime, and settings that it refuses.
pub(super) const AGENT_IDLE: i32 = 70;
pub(super) const AGENT_LIFETIME: i32 = 71;
pub const AGENT_SETTINGS: i32 = 78;

/// Whether ECS says that the kernel killed it for lack of memory.
pub(super) fn is_out_of_memory(text: &str) -> bool {
    text.contains("OutOfMemory")
}
