//! What happens between a job's request for a task and the running task, for code that reports it
//! to people.
//!
//! It holds facts, and chooses no words except for the next task.

use std::time::Duration;

use fargate_model::cause::CauseReport;
use fargate_model::text::ticking;

use super::observation::ObservedTask;

/// A shorter pause before another task is not reported.
const TOLD_PAUSE: Duration = Duration::from_secs(1);

/// The words for another task: `starting another task in 31 s (1 of 3)`.
#[must_use]
pub fn relaunch_words(n: u32, of: u32, after: Duration) -> String {
    let pause = if after < TOLD_PAUSE { String::new() } else { format!(" in {}", ticking(after)) };
    format!("starting another task{pause} ({n} of {of})")
}

/// One step of a task's start.
pub enum TaskStartEvent<'a> {
    /// A person holds new jobs on this host. Nothing is asked for yet.
    Held {
        /// Who holds them, and why.
        why: &'a CauseReport,
        /// The time since the job came.
        waited: Duration,
        /// The longest wait.
        limit: Duration,
    },
    /// ECS accepted a task.
    Accepted(&'a ObservedTask),
    /// ECS started no task yet. It is tried again.
    Refused {
        /// Why.
        why: &'a CauseReport,
        /// The number of tries so far.
        tries: usize,
        /// The time since the first try.
        waited: Duration,
    },
    /// A look at the task.
    Waiting {
        /// What ECS says.
        seen: &'a ObservedTask,
        /// The time since it was accepted.
        age: Duration,
        /// The time in this state.
        in_state: Duration,
    },
    /// The task failed for a passing reason. Another one is launched.
    Relaunching {
        /// Why.
        why: &'a CauseReport,
        /// The number of the relaunch, from 1.
        n: u32,
        /// The most relaunches.
        of: u32,
        /// The pause before it.
        after: Duration,
    },
}
