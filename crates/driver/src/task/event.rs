//! What happens between a job's wish for a task and the task, for whoever tells people.

use std::time::Duration;

use fargate_model::cause::CauseReport;
use fargate_model::text::ticking;

use super::observation::ObservedTask;

/// A pause before another task that is shorter is not told.
const TOLD_PAUSE: Duration = Duration::from_secs(1);

/// What is told of another task: `starting another task in 31 s (1 of 3)`.
#[must_use]
pub fn relaunch_words(n: u32, of: u32, after: Duration) -> String {
    let pause = if after < TOLD_PAUSE { String::new() } else { format!(" in {}", ticking(after)) };
    format!("starting another task{pause} ({n} of {of})")
}

/// See the module.
pub enum TaskStartEvent<'a> {
    /// ECS accepted a task.
    Accepted(&'a ObservedTask),
    /// ECS started none yet; it is being tried again.
    Refused {
        /// Why.
        why: &'a CauseReport,
        /// Tries so far.
        tries: usize,
        /// Since the first one.
        waited: Duration,
    },
    /// A look at the task.
    Waiting {
        /// What ECS says.
        seen: &'a ObservedTask,
        /// Since it was accepted.
        age: Duration,
        /// In this state.
        in_state: Duration,
    },
    /// The task failed for a passing reason; another one is launched.
    Relaunching {
        /// Why.
        why: &'a CauseReport,
        /// Which relaunch, from 1.
        n: u32,
        /// How many there may be.
        of: u32,
        /// How long it waits before that.
        after: Duration,
    },
}
