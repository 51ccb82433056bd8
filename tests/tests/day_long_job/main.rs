//! A job of 24 hours in less than a minute: the real driver, the real agent and a real script, over a
//! real connection, on a clock that the test moves by five minutes at a time.
//!
//! The clock of each process is moved, because driver, agent and SSH library read it in many places,
//! and no part of them is replaced. After each move the script writes a line, and the test waits for
//! it at the far end. That wakes everybody, so each of them finds its timers over. The kernel's own
//! timers (TCP) go on in real time: they measure silence of a minute at most and remember nothing.

mod exec_day;
mod moved_day;
mod stock_server_day;
mod time_of_day_jumps;
mod whole_day;

use fargate_tests::CheckedHost;

/// How often the operator's log tells of this event.
fn count(site: &CheckedHost, event: &str) -> usize {
    site.log().matches(&format!("\"event\":\"{event}\"")).count()
}
