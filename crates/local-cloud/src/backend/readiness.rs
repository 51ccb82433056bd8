//! When a process can receive SIGTERM, read from `/proc`.
//!
//! The kernel drops a SIGTERM to the first process of a PID namespace that neither catches nor blocks
//! it. A process that has just begun gets a moment to do so, because on Fargate, too, the signal takes
//! a moment to reach the container.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

/// SIGTERM in the signal masks of `/proc`: bit n - 1 is signal n.
const TERM_BIT: u64 = 1 << 14;
/// How long after its start a process is waited for.
const TERM_READY: Duration = Duration::from_millis(250);
/// Between two looks at the masks.
const POLL: Duration = Duration::from_millis(5);

/// Returns when the process catches or blocks SIGTERM, has ended, or has had its time.
pub async fn until_ready_for_term(pid: i32, started: Instant) {
    let catching = async {
        while !is_ready_for_term(pid) {
            sleep(POLL).await;
        }
    };
    // SIGTERM is sent in any case: a process that waits for signals by another call shows no mask.
    let _ = timeout_at(started + TERM_READY, catching).await;
}

/// Caught, or blocked: a blocked signal waits until the process takes it.
fn is_ready_for_term(pid: i32) -> bool {
    let Ok(status) = std::fs::read_to_string(format!("/proc/{pid}/status")) else { return true };
    let has_term = |name: &str| {
        let mask = status.lines().find_map(|line| line.strip_prefix(name));
        let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        mask.is_some_and(|mask| mask & TERM_BIT != 0)
    };
    has_term("SigCgt:") || has_term("SigBlk:")
}
