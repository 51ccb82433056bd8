//! Failures that a test asks for: which call they meet, and what they make of it.
//!
//! This room decides nothing by itself and knows no HTTP: it hands the next fault of an operation
//! to whoever answers the call.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::watch;

/// What goes wrong with one call.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// The call has no effect and is answered with an error.
    Exception {
        /// HTTP status, for example 400 or 500.
        status: u16,
        /// The exception's name, for example `ThrottlingException`.
        code: String,
        /// Its message.
        message: String,
    },
    /// The call has no effect and is answered with status 200, nothing done, and one entry in
    /// `failures[]` for each thing asked for. `RunTask`, `DescribeTasks` and `DescribeClusters` heed
    /// it; `DescribeNetworkInterfaces` then shows no public address yet.
    Failure {
        /// For example `Capacity is unavailable at this time. ...`.
        reason: String,
        /// Further words, seldom there.
        detail: Option<String>,
    },
    /// RunTask is accepted, and the task then stops.
    TaskStops {
        /// The state that it still reaches.
        phase: Phase,
        /// How long it stays in that state beyond what the pace gives it.
        after: Duration,
        /// ECS's `stopCode`, for example `TaskFailedToStart`.
        stop_code: String,
        /// ECS's `stoppedReason`.
        stopped_reason: String,
        /// The `reason` of every container.
        container_reason: Option<String>,
        /// The `exitCode` of every container; `None` leaves it absent in a task that never ran,
        /// and the true one in a task that did.
        exit_code: Option<i32>,
    },
    /// RunTask is accepted, and the task then stays in this state until it is stopped. In
    /// [`Phase::Running`] it has an address and no process.
    TaskHeld {
        /// The state that it stays in.
        phase: Phase,
    },
    /// The call takes effect, and the connection is closed without an answer.
    LostAnswer,
    /// No answer and no effect until the faults are cleared; then the call goes on as usual.
    Hang,
    /// The call takes effect and is answered this much later.
    Slow(
        /// How much later.
        Duration,
    ),
    /// The call has no effect and is answered with this body.
    Answer {
        /// HTTP status.
        status: u16,
        /// Sent as it is, JSON or not.
        body: String,
    },
}

/// A state that a fault names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The network interface is being made.
    Provisioning,
    /// Image, secrets, file systems.
    Pending,
    /// The containers run.
    Running,
}

/// What a fault makes of a task that was accepted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TaskFault {
    Held(Phase),
    Stops(Phase, Duration, Stop),
}

/// How a task ends by a fault.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stop {
    pub stop_code: String,
    pub stopped_reason: String,
    pub container_reason: Option<String>,
    pub exit_code: Option<i32>,
}

/// The faults that wait for a call, by operation.
pub(crate) struct Faults {
    waiting: Mutex<BTreeMap<String, Queue>>,
    cleared: watch::Sender<u64>,
}

#[derive(Default)]
struct Queue {
    once: VecDeque<Fault>,
    standing: Option<Fault>,
}

impl Faults {
    pub fn none() -> Self {
        Self { waiting: Mutex::default(), cleared: watch::Sender::new(0) }
    }

    /// Meets one call: the next one that no earlier fault meets.
    pub fn push(&self, operation: &str, fault: Fault) {
        let mut waiting = self.waiting.lock().expect("no one panics while holding the faults");
        waiting.entry(operation.to_owned()).or_default().once.push_back(fault);
    }

    /// Meets every call that no queued fault meets, until the faults are cleared.
    pub fn stand(&self, operation: &str, fault: Fault) {
        let mut waiting = self.waiting.lock().expect("no one panics while holding the faults");
        waiting.entry(operation.to_owned()).or_default().standing = Some(fault);
    }

    /// Forgets them all and lets hanging calls go on.
    pub fn clear(&self) {
        self.waiting.lock().expect("no one panics while holding the faults").clear();
        self.cleared.send_modify(|generation| *generation += 1);
    }

    /// The fault that meets this call, if any.
    pub fn take(&self, operation: &str) -> Option<Fault> {
        let mut waiting = self.waiting.lock().expect("no one panics while holding the faults");
        let queue = waiting.get_mut(operation)?;
        queue.once.pop_front().or_else(|| queue.standing.clone())
    }

    /// Told each time the faults are cleared. Take it before [`Faults::take`].
    pub fn clearing(&self) -> watch::Receiver<u64> {
        self.cleared.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queued_faults_come_first_then_the_standing_one_until_cleared() {
        let faults = Faults::none();
        faults.stand("RunTask", Fault::Hang);
        faults.push("RunTask", Fault::LostAnswer);
        assert_eq!(faults.take("StopTask"), None);
        assert_eq!(faults.take("RunTask"), Some(Fault::LostAnswer));
        assert_eq!(faults.take("RunTask"), Some(Fault::Hang));
        assert_eq!(faults.take("RunTask"), Some(Fault::Hang));
        let mut clearing = faults.clearing();
        faults.clear();
        assert!(clearing.has_changed().expect("the faults live"));
        clearing.borrow_and_update();
        assert_eq!(faults.take("RunTask"), None);
    }
}
