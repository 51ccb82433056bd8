//! Deadlines of long jobs on a host whose clock was wrong when the job began, or is wrong now.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fargate_driver::task::ObservedTask;
use fargate_model::lifetime::{MAX_JOB_TIMEOUT, MAX_LIFETIME_MARGIN};
use fargate_state::{JobRecord, RunnerLiveness};
use proptest::prelude::*;

use super::tests::{judge, running};
use super::{CLOCK_MARGIN, OrphanJudge, OrphanReason, OrphanVerdict, example};
use crate::judge_clock::JudgeClock;

/// A time in this century, in s since 1970.
const BEGUN_S: u64 = 1_800_000_000;

fn at(unix_s: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(unix_s)
}

/// The verdict on a job with this time for its task, so long after its begin. The clock of its host was off by
/// the first number when it began, and is off by the second one now. That of ECS is right. `is_shown`: whether
/// ECS shows the task.
fn verdict(lifetime: Duration, age_s: u64, [then, now]: [i64; 2], is_shown: bool) -> OrphanVerdict {
    let deadline_unix_s = BEGUN_S.saturating_add_signed(then) + lifetime.as_secs();
    let record = JobRecord { deadline_unix_s, ..running() };
    let clock = JudgeClock {
        host: at((BEGUN_S + age_s).saturating_add_signed(now)),
        ecs: Some(at(BEGUN_S + age_s)),
    };
    let mut task = ObservedTask { lifetime: Some(lifetime), ..example() };
    task.timeline.created = Some(at(BEGUN_S));
    let judge = OrphanJudge { clock, ..judge() };
    let live = Some(&task).filter(|_| is_shown);
    judge.record_with(&record, live, Some(RunnerLiveness::Possible))
}

const OVERDUE: OrphanVerdict = OrphanVerdict::Orphan(OrphanReason::Overdue);

proptest! {
    #[test]
    fn no_jump_of_a_clock_ends_a_live_job(
        timeout_s in 1..=MAX_JOB_TIMEOUT.as_secs(),
        margin_s in 1..=MAX_LIFETIME_MARGIN.as_secs(),
        part in 0.0..=1.0_f64,
        then in -1_000_000_000..1_000_000_000_i64,
        now in -1_000_000_000..1_000_000_000_i64,
    ) {
        let lifetime = Duration::from_secs(timeout_s + margin_s);
        // GitLab ends a job at its time-out, so a live one is no older.
        let age = Duration::from_secs(timeout_s).mul_f64(part).as_secs();
        prop_assert_eq!(verdict(lifetime, age, [then, now], true), OrphanVerdict::Needed);
        // A task that ECS does not show yet is safe as long as the clock was right at its begin.
        let was_right = then.clamp(-600, 600);
        prop_assert_eq!(verdict(lifetime, age, [was_right, now], false), OrphanVerdict::Needed);
    }

    #[test]
    fn a_dead_job_is_ended_whatever_the_clock_showed_when_it_began(
        timeout_s in 1..=MAX_JOB_TIMEOUT.as_secs(),
        then in -1_000_000_000..=600_i64,
        now in -600..1_000_000_000_i64,
    ) {
        let lifetime = Duration::from_secs(timeout_s);
        let dead = lifetime.as_secs() + 3 * CLOCK_MARGIN.as_secs() + 1;
        for is_shown in [true, false] {
            prop_assert_eq!(verdict(lifetime, dead, [then, now], is_shown), OVERDUE);
        }
    }
}

#[test]
fn a_clock_that_is_set_back_by_a_day_spares_a_dead_job_until_it_is_right() {
    let lifetime = Duration::from_secs(24 * 3600 + 900);
    // The agent's own timer ends such a task in time: no clock of a host reaches it.
    let late_s = lifetime.as_secs() + 3600;
    assert_eq!(verdict(lifetime, late_s, [0, -24 * 3600], true), OrphanVerdict::Needed);
    assert_eq!(verdict(lifetime, late_s, [0, 0], true), OVERDUE);
}
