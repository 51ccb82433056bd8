//! Which ends of jobs are counted: each job of this host once, when nothing can follow any more.
//!
//! gitlab-runner tries `prepare` again after it failed, and each try is cleaned up by itself. Such an end counts
//! once no other try came. Whoever shares the history counts its own jobs, so that sums over hosts are right.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use fargate_job_journal::{JobState, JobStory, JobVerdict};
use tokio::time::Instant;

/// Tries of `prepare` that gitlab-runner makes. Source: gitlab-runner, `common/build.go`,
/// `PreparationRetries`.
const MOST_TRIES: u32 = 3;
/// How long another try may take to begin. gitlab-runner waits 3 s. Ours beyond that: a slow host.
const NEXT_TRY: Duration = Duration::from_mins(1);
/// Jobs that are remembered as counted, so that a later clean-up counts nothing.
const MOST_REMEMBERED: usize = 20_000;
/// Ends that may wait at once. Those beyond count at once.
const MOST_WAITING: usize = 5_000;

/// What was counted, and what may be counted soon.
#[derive(Debug, Default)]
pub(crate) struct JobCount {
    waiting: HashMap<String, Instant>,
    counted: HashSet<String>,
    order: VecDeque<String>,
}

impl JobCount {
    /// Takes in that a job was cleaned up. Whether it counts now. A job of which the next try has begun by now
    /// ends later.
    pub fn ended(&mut self, story: &JobStory) -> bool {
        if story.state != JobState::Finished || self.counted.contains(&story.key) {
            return false;
        }
        if may_go_on(story) && self.waiting.len() < MOST_WAITING {
            self.waiting.insert(story.key.clone(), Instant::now() + NEXT_TRY);
            return false;
        }
        self.remember(&story.key);
        true
    }

    /// The jobs whose time for another try is over. Each is returned once.
    pub fn overdue(&mut self) -> Vec<String> {
        let now = Instant::now();
        let over = self.waiting.iter().filter(|(_, until)| **until <= now);
        let over: Vec<String> = over.map(|(key, _)| key.clone()).collect();
        self.waiting.retain(|_, until| *until > now);
        over
    }

    /// Whether a job that is overdue counts: it is still over.
    pub fn settled(&mut self, story: &JobStory) -> bool {
        let counts = story.state == JobState::Finished && !self.counted.contains(&story.key);
        if counts {
            self.remember(&story.key);
        }
        counts
    }

    /// A job that could not be looked up is looked up again.
    pub fn wait_again(&mut self, key: String) {
        self.waiting.insert(key, Instant::now());
    }

    fn remember(&mut self, key: &str) {
        self.waiting.remove(key);
        if self.counted.insert(key.to_owned()) {
            self.order.push_back(key.to_owned());
        }
        if self.order.len() > MOST_REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.counted.remove(&oldest);
        }
    }
}

/// Whether gitlab-runner may try this job again on its own.
fn may_go_on(story: &JobStory) -> bool {
    let Some(last) = story.tries.last() else { return false };
    let is_retried = story.description.origin != "exec"
        && story.verdict == Some(JobVerdict::SystemFailure)
        && last.ready_ms.is_none();
    is_retried && !last.is_final && last.number < MOST_TRIES
}

#[cfg(test)]
mod tests {
    use super::*;
    use fargate_job_journal::TryStory;

    /// A job whose try with this number ended.
    fn over(key: &str, number: u32, verdict: JobVerdict) -> JobStory {
        let mut story = JobStory::new(key);
        story.tries = vec![TryStory { number, ..TryStory::default() }];
        (story.state, story.verdict) = (JobState::Finished, Some(verdict));
        story
    }

    #[tokio::test(start_paused = true)]
    async fn the_tries_of_a_start_that_fails_count_as_one_job() {
        let mut count = JobCount::default();
        let counts: Vec<bool> = (1..=3)
            .map(|number| count.ended(&over("a", number, JobVerdict::SystemFailure)))
            .collect();
        assert_eq!(counts, [false, false, true]);
        assert!(!count.ended(&over("a", 3, JobVerdict::SystemFailure)), "its second clean-up");
        tokio::time::advance(NEXT_TRY).await;
        assert_eq!(count.overdue(), Vec::<String>::new());
    }

    #[tokio::test(start_paused = true)]
    async fn a_start_that_nobody_tries_again_counts_after_a_while_and_others_count_at_once() {
        let mut count = JobCount::default();
        let failed = over("a", 1, JobVerdict::SystemFailure);
        assert!(!count.ended(&failed) && count.ended(&over("b", 1, JobVerdict::Cancelled)));
        let mut is_final = over("c", 1, JobVerdict::SystemFailure);
        is_final.tries[0].is_final = true;
        let mut by_hand = over("d", 1, JobVerdict::SystemFailure);
        by_hand.description.origin = "exec".to_owned();
        assert!(count.ended(&is_final) && count.ended(&by_hand));
        assert_eq!(count.overdue(), Vec::<String>::new());
        tokio::time::advance(NEXT_TRY).await;
        assert_eq!(count.overdue(), ["a"]);
        assert!(count.settled(&failed) && !count.settled(&failed));
    }

    #[tokio::test(start_paused = true)]
    async fn a_job_that_runs_after_all_counts_only_when_it_ends() {
        let mut count = JobCount::default();
        assert!(!count.ended(&over("a", 1, JobVerdict::SystemFailure)));
        tokio::time::advance(NEXT_TRY).await;
        assert_eq!(count.overdue(), ["a"]);
        let mut running = over("a", 2, JobVerdict::Passed);
        (running.state, running.verdict) = (JobState::Running, None);
        assert!(!count.settled(&running) && !count.ended(&running));
        assert!(count.ended(&over("a", 2, JobVerdict::Passed)));
    }
}
