//! The reaper as the daemon runs it: a sweep at the start, one in each period, and a second look soon after
//! something was seen as an orphan.
//!
//! The lock of the only reaper is held during a sweep alone, so `tasks reap` works beside the daemon.

use std::time::{Duration, SystemTime};

use fargate_model::text::error_chain;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use crate::host_reaper::HostReaper;
use crate::host_watch::HostWatch;
use crate::reap_error::{ReapError, ReaperSettings};
use crate::report::{OrphanOutcome, OrphanReport, SweepReport};
use crate::stop_orphans::ReapMode;

/// Least time between two sweeps. Ours: with the second look 10 s later, an orphan lives less than 60 s.
const SWEEP_EACH: Duration = Duration::from_secs(30);
/// Time that a call of a sweep costs in a period, so that many tasks are listed less often.
const CALL_COSTS: Duration = Duration::from_secs(3);
/// The same before a second look.
const CALL_COSTS_SOON: Duration = Duration::from_secs(1);
/// Tasks of one page of ListTasks, and of one DescribeTasks. Source: Amazon ECS API Reference.
const PAGE: usize = 100;
/// Most time of a sweep. Ours: 1,000 orphans take 67 s at 15 stops a second.
const SWEEP_TIME: Duration = Duration::from_secs(300);
/// Pause after the reaper could not be opened.
const OPEN_AGAIN: Duration = Duration::from_secs(10);

/// What the last sweep saw and did.
#[derive(Clone, Debug, PartialEq)]
pub struct LastSweep {
    /// When it ended.
    pub at: SystemTime,
    /// How long it took.
    pub took: Duration,
    /// What came of it.
    pub report: SweepReport,
}

/// How the reaper does.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReapCondition {
    /// Orphans whose task this daemon stopped.
    pub stopped_total: u64,
    /// The last sweep that ended.
    pub last: Option<LastSweep>,
    /// Why there is no sweep now, in words.
    pub trouble: Option<String>,
}

/// Sweeps until it is dropped.
pub async fn reap_always(
    settings: ReaperSettings,
    watch: HostWatch,
    condition: watch::Sender<ReapCondition>,
) {
    let mut reaper = loop {
        match HostReaper::open(settings.clone(), ReapMode::End).await {
            Ok(reaper) => break reaper,
            Err(error) => tell_trouble(&condition, &error),
        }
        sleep(OPEN_AGAIN).await;
    };
    let mut is_locked = true;
    loop {
        if !is_locked && let Err(error) = reaper.lock_again() {
            tell_trouble(&condition, &error);
            sleep(OPEN_AGAIN).await;
            continue;
        }
        let begun = Instant::now();
        let swept = timeout(SWEEP_TIME, sweep(&mut reaper, &watch)).await;
        reaper.unlock();
        is_locked = false;
        let pause = match swept {
            Ok((report, tasks)) => {
                let pause = pause_after(&report, tasks, reaper.apart());
                tell_sweep(&condition, report, begun.elapsed());
                pause
            }
            Err(_) => {
                let words = format!("a sweep took more than {} s", SWEEP_TIME.as_secs());
                condition.send_modify(|condition| condition.trouble = Some(words));
                SWEEP_EACH
            }
        };
        sleep(pause).await;
    }
}

fn tell_trouble(condition: &watch::Sender<ReapCondition>, error: &ReapError) {
    let words = error_chain(error);
    condition.send_if_modified(|condition| {
        let is_new = condition.trouble.as_ref() != Some(&words);
        condition.trouble = Some(words);
        is_new
    });
}

/// One sweep. The watch learns what ECS showed before anything is stopped, which may take a minute.
async fn sweep(reaper: &mut HostReaper, watch: &HostWatch) -> (SweepReport, usize) {
    let survey = reaper.survey().await;
    for (place, words) in &survey.silent {
        watch.not_heard(place, words);
    }
    watch.listed_all(survey.asked, &survey.answered, reaper.placed(&survey));
    let tasks = survey.len();
    (reaper.settle(survey, ReapMode::End, &mut |_, _| {}).await, tasks)
}

fn tell_sweep(condition: &watch::Sender<ReapCondition>, report: SweepReport, took: Duration) {
    // Of a record that was only settled, ECS showed no task.
    let is_stopped = |orphan: &&OrphanReport| orphan.done == OrphanOutcome::Stopped;
    let stopped = report.orphans.iter().filter(is_stopped).count();
    condition.send_modify(|condition| {
        condition.stopped_total += stopped as u64;
        condition.last = Some(LastSweep { at: SystemTime::now(), took, report });
        condition.trouble = None;
    });
}

fn pause_after(report: &SweepReport, tasks: usize, apart: Duration) -> Duration {
    let calls = u32::try_from(2 * tasks.div_ceil(PAGE).max(1)).unwrap_or(u32::MAX);
    match report.seen_once() {
        0 => SWEEP_EACH.max(CALL_COSTS.saturating_mul(calls)),
        // A sleep may end in the tick before.
        _ => apart.max(CALL_COSTS_SOON.saturating_mul(calls)) + Duration::from_millis(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::orphan_reason::OrphanReason;
    use fargate_model::job::JobKey;

    fn orphan(done: OrphanOutcome) -> OrphanReport {
        OrphanReport {
            task: None,
            job: JobKey::from_bits([7; 32]),
            job_id: None,
            cluster: "ci".to_owned(),
            region: "eu-west-1".to_owned(),
            age: None,
            reason: OrphanReason::NoRecord,
            done,
        }
    }

    #[test]
    fn a_record_that_was_only_settled_is_no_task_that_was_stopped() {
        let condition = watch::Sender::new(ReapCondition::default());
        let orphans = vec![
            orphan(OrphanOutcome::Stopped),
            orphan(OrphanOutcome::Settled),
            orphan(OrphanOutcome::NotDone("throttled".to_owned())),
        ];
        let report = SweepReport { orphans, ..SweepReport::default() };
        tell_sweep(&condition, report, Duration::ZERO);
        assert_eq!(condition.borrow().stopped_total, 1);
    }

    #[test]
    fn a_thousand_tasks_cost_a_third_of_a_call_a_second() {
        let apart = Duration::from_secs(10);
        let quiet = SweepReport::default();
        assert_eq!(pause_after(&quiet, 0, apart), SWEEP_EACH);
        assert_eq!(pause_after(&quiet, 1000, apart), Duration::from_secs(60));
        let orphans = vec![orphan(OrphanOutcome::SeenOnce)];
        let found = SweepReport { orphans, ..SweepReport::default() };
        let tick = Duration::from_millis(1);
        assert_eq!(pause_after(&found, 0, apart), apart + tick);
        assert_eq!(pause_after(&found, 1000, apart), Duration::from_secs(20) + tick);
    }
}
