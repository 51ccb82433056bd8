//! What happens between a job's request for a task and the running task, for code that reports it
//! to people.
//!
//! It holds facts, and chooses no words except for the next task.

use std::time::Duration;

use fargate_model::cause::{CauseReport, FailureCause};
use fargate_model::text::ticking;

use super::launch_places::LaunchPlace;
use super::observation::ObservedTask;

/// A shorter pause before another task is not reported.
const TOLD_PAUSE: Duration = Duration::from_secs(1);

/// The words for another task: `starting another task in 31 s (1 of 3)`, and where, if that is
/// elsewhere.
#[must_use]
pub fn relaunch_words(n: u32, of: u32, after: Duration, next: Option<&LaunchPlace>) -> String {
    let pause = if after < TOLD_PAUSE { String::new() } else { format!(" in {}", ticking(after)) };
    let elsewhere = next.map_or_else(String::new, |next| format!(": {next}"));
    format!("starting another task{pause} ({n} of {of}){elsewhere}")
}

/// The words for a launch that failed in one place and goes on in another:
/// `FARGATE_SPOT in subnet-0a1: no capacity, trying FARGATE in subnet-0a1`.
#[must_use]
pub fn move_words(why: &CauseReport, tried: &LaunchPlace, next: &LaunchPlace) -> String {
    let what = match why.cause {
        FailureCause::NoCapacity => "no capacity".to_owned(),
        FailureCause::SubnetFull => "no free address".to_owned(),
        _ => why.headline(),
    };
    format!("{tried}: {what}, trying {next}")
}

/// The words for a capacity provider that is left alone.
#[must_use]
pub fn avoided_words(provider: &str, left: Duration, next: &LaunchPlace) -> String {
    let left = fargate_model::text::duration(left);
    format!("{provider} failed often lately and is left alone for {left}: beginning with {next}")
}

/// One step of a task's start.
pub enum TaskStartProgress<'a> {
    /// A person holds new jobs on this host. Nothing is asked for yet.
    Held {
        /// Who holds them, and why.
        why: &'a CauseReport,
        /// The time since the job came.
        waited: Duration,
        /// The longest wait.
        limit: Duration,
    },
    /// Something that people should know of the image, such as that it is deprecated.
    ImageWarning(&'a str),
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
    /// A capacity provider failed often on this host, so the launch begins with another one.
    Avoided {
        /// The provider.
        provider: &'a str,
        /// How much longer it is left alone.
        left: Duration,
        /// Where the launch begins.
        next: &'a LaunchPlace,
    },
    /// ECS started no task in one place. Another one is tried at once.
    Moving {
        /// Why.
        why: &'a CauseReport,
        /// Where it was tried.
        tried: &'a LaunchPlace,
        /// Where it is tried next.
        next: &'a LaunchPlace,
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
        /// Where it is launched, if that is elsewhere.
        next: Option<&'a LaunchPlace>,
    },
}
