//! Failures on demand: what goes wrong, with which call or which task, and when.
//!
//! There is one engine. A test gives it a [`CloudFault`] for the next calls, a person gives it rules in
//! a small language (`reference.txt` beside this file is its description), and both are kept, struck
//! and recorded as [`FaultRule`]s. This room knows no HTTP and no state of tasks: it says which fault
//! meets a call or a task, and whoever answers the call or lives the task plays it.

mod display;
mod edit;
mod engine;
mod parse;
mod rule;
mod rule_errors;
mod rules;
mod words;

use std::time::Duration;

pub use edit::AnswerEdit;
pub(crate) use engine::{
    CallEffect, CloudTaskIdentity, DueTaskEffect, FaultEngine, ObservedCall, TaskEffect,
};
pub use engine::{FaultCount, FaultRecord};
pub use rule::FaultRule;
pub use rule_errors::{FaultRulesError, InvalidRuleLine};
pub use rules::FaultRules;

use crate::limits::BucketRate;

/// The rule language, described by commented examples; every example is a rule that can be used.
pub const FAULT_REFERENCE: &str = include_str!("reference.txt");

/// What goes wrong with one call, or with one task.
#[derive(Clone, Debug, PartialEq)]
pub enum CloudFault {
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
    /// The call is answered as if it came too fast, unless this bucket has a token for it.
    Limit(BucketRate),
    /// The call has no effect and is answered with `ExpiredTokenException`, and so is every later
    /// one with the same key, if the cloud issued that key for a time. A new one works.
    KeyExpires,
    /// The call has no effect, and the connection is reset without an answer.
    LostRequest,
    /// The call takes effect, and the connection is reset without an answer.
    LostAnswer,
    /// No answer and no effect until the faults are cleared, or the rule's time is over; then the
    /// call goes on as usual.
    Hang,
    /// The call takes effect and is answered this much later.
    Slow(
        /// How much later.
        Duration,
    ),
    /// The call takes effect, and its answer comes byte by byte, from the first of its head on.
    Trickle(
        /// Between two bytes.
        Duration,
    ),
    /// The call has no effect and is answered with this body.
    Answer {
        /// HTTP status.
        status: u16,
        /// Sent as it is, JSON or not.
        body: String,
    },
    /// The call takes effect, and its answer is changed. Answers of ECS only, which are JSON.
    Altered(AnswerEdit),
    /// `DescribeTasks` and `ListTasks` do not see a task that is younger than this. It changes what
    /// a call sees, so it adds to another fault that meets the same call.
    Lag(
        /// How young.
        Duration,
    ),
    /// `DescribeTasks` and `ListTasks` see every task as it was this long ago, and none that is
    /// younger; at most ten minutes. It adds to another fault, as above.
    Stale(
        /// How long ago.
        Duration,
    ),
    /// `DescribeTasks` shows the `lastStatus` that a task had this long ago, at most ten minutes, or
    /// its first one; all the rest, so a stop code and exit codes, is as it is now. It adds to
    /// another fault, as above.
    StatusBehind(
        /// How long ago.
        Duration,
    ),
    /// The task stops. RunTask, where this meets a call, is accepted.
    TaskStops {
        /// The state that it still reaches.
        phase: CloudTaskPhase,
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
    /// The task stays in this state until it is stopped. In [`CloudTaskPhase::Running`] it has an address
    /// and no process.
    TaskHeld {
        /// The state that it stays in.
        phase: CloudTaskPhase,
    },
    /// Fargate Spot takes its capacity back: the containers get SIGTERM while the task still shows
    /// RUNNING, and what is left of them SIGKILL. Before RUNNING there is nothing to warn.
    TaskInterrupted {
        /// The state that it still reaches.
        phase: CloudTaskPhase,
        /// How long it stays in that state beyond what the pace gives it.
        after: Duration,
        /// From SIGTERM to SIGKILL; the `stopTimeout` of each container when `None`.
        grace: Option<Duration>,
    },
    /// From then on the API does not know the task, and its processes are ended.
    TaskForgotten {
        /// The state that it still reaches.
        phase: CloudTaskPhase,
        /// How long it stays in that state beyond what the pace gives it.
        after: Duration,
    },
}

/// A state that a fault names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloudTaskPhase {
    /// The network interface is being made.
    Provisioning,
    /// Image, secrets, file systems.
    Pending,
    /// The containers run.
    Running,
}

/// How far behind the readers of tasks are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReaderLag {
    /// Tasks that are younger are not seen.
    pub lag: Duration,
    /// Every task is seen as it was so long ago.
    pub stale: Duration,
    /// The status of every task is seen as it was so long ago.
    pub behind: Duration,
}

impl CloudFault {
    /// The answer of AWS to a caller who is too fast.
    pub(crate) fn throttled() -> Self {
        Self::Exception {
            status: 400,
            code: "ThrottlingException".to_owned(),
            message: "Rate exceeded".to_owned(),
        }
    }

    /// What ECS answers when it has trouble of its own.
    pub(crate) fn server_error() -> Self {
        Self::Exception {
            status: 500,
            code: "ServerException".to_owned(),
            message: "Service Unavailable. Please try again later.".to_owned(),
        }
    }

    /// What the fault makes of a task, and when; `None` where it is about the call alone.
    pub(crate) fn of_task(&self) -> Option<TaskFault> {
        let (phase, after, deed) = match self {
            Self::TaskStops {
                phase,
                after,
                stop_code,
                stopped_reason,
                container_reason,
                exit_code,
            } => {
                let stop = TaskStopEffect {
                    stop_code: stop_code.clone(),
                    stopped_reason: stopped_reason.clone(),
                    container_reason: container_reason.clone(),
                    exit_code: *exit_code,
                };
                (phase, *after, TaskEffect::Stop(stop))
            }
            Self::TaskHeld { phase } => (phase, Duration::ZERO, TaskEffect::Hold),
            Self::TaskInterrupted { phase, after, grace } => {
                (phase, *after, TaskEffect::Interrupt(*grace))
            }
            Self::TaskForgotten { phase, after } => (phase, *after, TaskEffect::Forget),
            _ => return None,
        };
        Some(TaskFault { phase: *phase, after, deed })
    }

    /// It changes what a call sees, and not what becomes of it.
    pub(crate) fn is_of_view(&self) -> bool {
        matches!(self, Self::Lag(_) | Self::Stale(_) | Self::StatusBehind(_))
    }
}

impl CloudTaskPhase {
    /// ECS's word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Provisioning => "PROVISIONING",
            Self::Pending => "PENDING",
            Self::Running => "RUNNING",
        }
    }
}

/// What a fault makes of a task.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TaskFault {
    pub phase: CloudTaskPhase,
    /// Beyond what the pace gives that state.
    pub after: Duration,
    pub deed: TaskEffect,
}

/// How a task ends by a fault.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TaskStopEffect {
    pub stop_code: String,
    pub stopped_reason: String,
    pub container_reason: Option<String>,
    pub exit_code: Option<i32>,
}

#[cfg(test)]
mod tests;
