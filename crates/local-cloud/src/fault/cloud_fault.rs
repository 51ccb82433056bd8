//! What can go wrong with a call or with a task. Plain values; `endpoint` plays those of calls, the
//! lifecycle those of tasks.

use std::time::Duration;

use super::edit::AnswerEdit;
use crate::limits::BucketRate;

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
    /// `failures[]` for each thing asked for. Only `RunTask`, `DescribeTasks` and `DescribeClusters`
    /// do so; `DescribeNetworkInterfaces` shows no public address yet.
    Failure {
        /// For example `Capacity is unavailable at this time. ...`.
        reason: String,
        /// More words, which AWS seldom gives.
        detail: Option<String>,
    },
    /// The call is answered as if it came too fast, unless this bucket has a token for it.
    Limit(BucketRate),
    /// The call has no effect and is answered with `ExpiredTokenException`. If the cloud issued the
    /// key for a time, the same is true of every later call with that key. A new key works.
    KeyExpires,
    /// The call has no effect, and the connection is reset without an answer.
    LostRequest,
    /// The call takes effect, and the connection is reset without an answer.
    LostAnswer,
    /// No answer and no effect until the faults are cleared or the rule's time is over; then the
    /// call continues as usual.
    Hang,
    /// The call takes effect, and its answer comes later.
    Slow(
        /// By how much.
        Duration,
    ),
    /// The call takes effect, and its answer comes byte by byte, HTTP head included.
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
    /// `DescribeTasks` and `ListTasks` do not see a task that is younger than this. It changes only
    /// what a call sees, so another fault can meet the same call.
    Lag(
        /// The age from which a task is seen.
        Duration,
    ),
    /// `DescribeTasks` and `ListTasks` see every task as it was this long ago, and none that is
    /// younger; at most ten minutes. Another fault can meet the same call.
    Stale(
        /// How long ago.
        Duration,
    ),
    /// `DescribeTasks` shows the `lastStatus` that a task had this long ago, at most ten minutes, or
    /// its first one. Everything else, for example the stop code and exit codes, is as it is now.
    /// Another fault can meet the same call.
    StatusBehind(
        /// How long ago.
        Duration,
    ),
    /// The task stops. RunTask, where this meets a call, is accepted.
    TaskStops {
        /// The state that it still reaches.
        phase: CloudTaskPhase,
        /// How long it stays in that state beyond its usual time.
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
    /// RUNNING, and later SIGKILL. Before RUNNING there is no container to signal.
    TaskInterrupted {
        /// The state that it still reaches.
        phase: CloudTaskPhase,
        /// How long it stays in that state beyond its usual time.
        after: Duration,
        /// From SIGTERM to SIGKILL; the `stopTimeout` of each container when `None`.
        grace: Option<Duration>,
    },
    /// From then on the API does not know the task, and its processes are ended.
    TaskForgotten {
        /// The state that it still reaches.
        phase: CloudTaskPhase,
        /// How long it stays in that state beyond its usual time.
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

/// How far the readers of tasks are behind the truth.
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
    /// The answer of AWS to a caller that sends requests too fast.
    pub(crate) fn throttled() -> Self {
        Self::Exception {
            status: 400,
            code: "ThrottlingException".to_owned(),
            message: "Rate exceeded".to_owned(),
        }
    }

    /// What ECS answers when ECS itself fails.
    pub(crate) fn server_error() -> Self {
        Self::Exception {
            status: 500,
            code: "ServerException".to_owned(),
            message: "Service Unavailable. Please try again later.".to_owned(),
        }
    }

    /// What the fault makes of a task, and when; `None` where it is about the call alone.
    pub(crate) fn of_task(&self) -> Option<TaskFault> {
        let (phase, after, effect) = match self {
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
        Some(TaskFault { phase: *phase, after, effect })
    }

    /// Whether it changes only what a call sees, not what the call does.
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
    /// How long after the usual end of that state.
    pub after: Duration,
    pub effect: TaskEffect,
}

/// How a task ends by a fault.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TaskStopEffect {
    pub stop_code: String,
    pub stopped_reason: String,
    pub container_reason: Option<String>,
    pub exit_code: Option<i32>,
}

/// What happens to a task.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TaskEffect {
    /// Its containers are killed.
    Stop(TaskStopEffect),
    /// Spot's interruption: from SIGTERM to SIGKILL.
    Interrupt(Option<Duration>),
    /// It stays in its state.
    Hold,
    /// The API does not know it any more.
    Forget,
}
