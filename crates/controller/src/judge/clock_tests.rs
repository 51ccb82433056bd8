//! Deadlines of long jobs on a host whose clock was wrong when the job began, or is wrong now.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fargate_model::lifetime::{MAX_JOB_TIMEOUT, MAX_LIFETIME_MARGIN};
use fargate_state::{JobRecord, RunnerLiveness};
use proptest::prelude::*;

use super::tests::{judge, running};
use super::{CLOCK_MARGIN, OrphanJudge, OrphanReason, OrphanVerdict};

/// A time in this century, in s since 1970.
const BEGUN_S: u64 = 1_800_000_000;

/// What a clock shows that is off by `off_s`.
fn shown(time_s: u64, off_s: i64) -> u64 {
    time_s.saturating_add_signed(off_s)
}

/// The verdict on a job with this time for its task, so long after its begin. Its clock was off by
/// the first number when it began, and is off by the second one now.
fn verdict(lifetime: Duration, age_s: u64, [then, now]: [i64; 2]) -> OrphanVerdict {
    let deadline_unix_s = shown(BEGUN_S, then) + lifetime.as_secs();
    let record = JobRecord { deadline_unix_s, ..running() };
    let now: SystemTime = UNIX_EPOCH + Duration::from_secs(shown(BEGUN_S + age_s, now));
    let judge = OrphanJudge { now, ..judge() };
    judge.record_with(&record, Some(RunnerLiveness::Possible))
}

const OVERDUE: OrphanVerdict = OrphanVerdict::Orphan(OrphanReason::Overdue);

proptest! {
    #[test]
    fn a_clock_that_jumps_within_its_margin_ends_no_live_job_and_spares_no_dead_one(
        timeout_s in 1..=MAX_JOB_TIMEOUT.as_secs(),
        margin_s in 1..=MAX_LIFETIME_MARGIN.as_secs(),
        part in 0.0..=1.0_f64,
        then in -1_000_000_000..1_000_000_000_i64,
        jump in -600..=600_i64,
    ) {
        let lifetime = Duration::from_secs(timeout_s + margin_s);
        // GitLab ends a job at its time-out, so a live one is no older.
        let age = Duration::from_secs(timeout_s).mul_f64(part).as_secs();
        let clocks = [then, then + jump];
        prop_assert_eq!(verdict(lifetime, age, clocks), OrphanVerdict::Needed);
        let dead = lifetime.as_secs() + 2 * CLOCK_MARGIN.as_secs() + 1;
        prop_assert_eq!(verdict(lifetime, dead, clocks), OVERDUE);
    }
}

#[test]
fn a_clock_that_is_set_forward_by_more_than_the_time_left_ends_a_job_and_set_back_it_spares_one() {
    const DAY_S: i64 = 24 * 3600;
    let lifetime = Duration::from_secs(24 * 3600 + 900);
    assert_eq!(verdict(lifetime, 3600, [0, DAY_S]), OVERDUE);
    assert_eq!(verdict(lifetime, 3600, [-DAY_S, 0]), OVERDUE);
    // The agent's own timer ends such a task in time: no clock of a host reaches it.
    let late_s = lifetime.as_secs() + 3600;
    assert_eq!(verdict(lifetime, late_s, [0, -DAY_S]), OrphanVerdict::Needed);
}
