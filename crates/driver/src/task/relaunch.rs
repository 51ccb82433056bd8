//! Decides whether another task follows one that did not come up, and after which pause.
//!
//! One limit counts for all reasons, because each task costs money and an image pull, whoever is to
//! blame. A refusal that started no task is not counted here; the launcher waits for it.

use std::time::Duration;

use fargate_config::{JobLimits, JobTimeouts};
use fargate_model::backoff::jittered;
use fargate_model::cause::{CauseReport, FailureCause, ResponsibleParty, RetryDecision};
use tokio::time::Instant;

/// Longest pause after a registry limited pulls. Its time windows are minutes to hours.
const LONGEST_OF_REGISTRY: Duration = Duration::from_secs(5 * 60);
/// Longest pause after anything else.
const LONGEST: Duration = Duration::from_secs(60);

/// The relaunches of one job.
pub struct RelaunchPlan<'a> {
    timeouts: &'a JobTimeouts,
    limits: &'a JobLimits,
    done: u32,
}

/// Another task that will be launched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedRelaunch {
    /// Its number, from 1 to `of`.
    pub n: u32,
    /// The most relaunches.
    pub of: u32,
    /// How long to wait before it.
    pub after: Duration,
}

impl<'a> RelaunchPlan<'a> {
    /// Makes a plan for the tasks of one job.
    pub fn new(timeouts: &'a JobTimeouts, limits: &'a JobLimits) -> Self {
        Self { timeouts, limits, done: 0 }
    }

    /// What follows after a task that ended for this cause, and is known to have stopped. `None` if
    /// no task may follow, or if it would come after `deadline`. `elsewhere`: it would be launched in
    /// another place.
    pub fn next(
        &mut self,
        why: &CauseReport,
        elsewhere: bool,
        deadline: Instant,
    ) -> Option<PlannedRelaunch> {
        let of = self.limits.task_relaunches;
        if is_final(why, elsewhere) || self.done >= of {
            return None;
        }
        let after = jittered(self.pause(why));
        if Instant::now() + after >= deadline {
            return None;
        }
        self.done += 1;
        Some(PlannedRelaunch { n: self.done, of, after })
    }

    /// Adds to the cause that the limit was reached.
    pub fn given_up(&self, why: CauseReport) -> CauseReport {
        let of = self.limits.task_relaunches;
        if is_final(&why, true) || self.done == 0 || self.done < of {
            return why;
        }
        let tasks = self.done + 1;
        why.because(format!("Gave up after {tasks} tasks: `limits.task_relaunches` is {of}."))
    }

    /// The pause. It doubles with each task. It is short for a cause that passes at once, and
    /// longer if something must become free. A registry that was asked too often gets the longest
    /// one.
    fn pause(&self, why: &CauseReport) -> Duration {
        let entry = why.entry();
        let (first, longest) = match (why.cause, entry.next, entry.who) {
            (FailureCause::RegistryLimit, ..) => {
                (self.timeouts.registry_retry_pause, LONGEST_OF_REGISTRY)
            }
            // The next task runs on other capacity, or on another machine of AWS.
            (FailureCause::Spot, ..) => (self.timeouts.ecs_poll_min, LONGEST),
            (_, RetryDecision::Retry, ResponsibleParty::Aws) => {
                (self.timeouts.ecs_poll_min, LONGEST)
            }
            _ => (self.timeouts.ecs_poll_max, LONGEST),
        };
        first.saturating_mul(1 << self.done.min(16)).min(longest.max(first))
    }
}

/// Whether no task may follow after this cause. A task that Spot took back before its job began has
/// cost nothing but time, and only other capacity helps.
pub(super) fn is_final(why: &CauseReport, elsewhere: bool) -> bool {
    let other_capacity = elsewhere && why.cause == FailureCause::Spot;
    why.entry().next == RetryDecision::Final && !other_capacity
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_a_day() -> Instant {
        Instant::now() + Duration::from_secs(24 * 3600)
    }

    /// For a cause that does not go away: the number of each task that follows, and its pause in
    /// seconds without the random part.
    fn followed(cause: FailureCause, relaunches: u32) -> Vec<(u32, u64)> {
        let timeouts = JobTimeouts::default();
        let limits = JobLimits { task_relaunches: relaunches, ..JobLimits::default() };
        let mut plan = RelaunchPlan::new(&timeouts, &limits);
        let mut all = Vec::new();
        loop {
            let pause = plan.pause(&CauseReport::new(cause));
            let Some(next) = plan.next(&CauseReport::new(cause), false, in_a_day()) else {
                return all;
            };
            assert!(next.n <= next.of, "{next:?}");
            assert!(next.after >= pause.mul_f64(0.8) && next.after <= pause.mul_f64(1.2));
            all.push((next.n, pause.as_secs()));
        }
    }

    #[test]
    fn one_limit_counts_for_every_cause() {
        for &cause in FailureCause::ALL {
            for limit in [0, 1, 3, 20] {
                let tasks = followed(cause, limit).len();
                let expected = if cause.entry().next == RetryDecision::Final { 0 } else { limit };
                assert_eq!(u32::try_from(tasks), Ok(expected), "{cause:?}");
            }
        }
    }

    #[test]
    fn a_registry_that_was_asked_too_often_is_left_alone_for_minutes() {
        assert_eq!(followed(FailureCause::RegistryLimit, 3), [(1, 30), (2, 60), (3, 120)]);
        assert_eq!(followed(FailureCause::RegistryLimit, 6)[4..], [(5, 300), (6, 300)]);
        assert_eq!(
            followed(FailureCause::SubnetFull, 5),
            [(1, 5), (2, 10), (3, 20), (4, 40), (5, 60)]
        );
        assert_eq!(followed(FailureCause::RoleUnassumed, 3), [(1, 5), (2, 10), (3, 20)]);
        assert_eq!(followed(FailureCause::EniTimeout, 3), [(1, 0), (2, 0), (3, 0)]);
    }

    #[test]
    fn a_task_that_spot_took_back_is_followed_by_another_one_only_elsewhere() {
        let (timeouts, limits) = (JobTimeouts::default(), JobLimits::default());
        let mut plan = RelaunchPlan::new(&timeouts, &limits);
        let taken = CauseReport::new(FailureCause::Spot);
        assert_eq!(plan.next(&taken, false, in_a_day()), None);
        let next = plan.next(&taken, true, in_a_day()).unwrap();
        assert!(next.n == 1 && next.after < Duration::from_secs(1), "{next:?}");
        let denied = CauseReport::new(FailureCause::ImageDenied);
        assert_eq!(plan.next(&denied, true, in_a_day()), None);
    }

    #[test]
    fn the_last_words_name_the_limit_only_where_it_was_reached() {
        let timeouts = JobTimeouts::default();
        let limits = JobLimits { task_relaunches: 1, ..JobLimits::default() };
        let mut plan = RelaunchPlan::new(&timeouts, &limits);
        let why = || CauseReport::new(FailureCause::EniTimeout);
        assert!(plan.given_up(why()).evidence.is_empty());
        assert_eq!(plan.next(&why(), false, Instant::now()), None, "its time would be over");
        assert!(plan.given_up(why()).evidence.is_empty());
        assert!(plan.next(&why(), false, in_a_day()).is_some());
        let said = &plan.given_up(why()).evidence[0].text;
        assert_eq!(said, "Gave up after 2 tasks: `limits.task_relaunches` is 1.");
        assert!(plan.given_up(CauseReport::new(FailureCause::ImageDenied)).evidence.is_empty());
    }
}
