//! Whether AWS answers as many calls as this many jobs make. It computes; nothing is asked.
//!
//! Source: Amazon ECS API Reference, "Request throttling for the Amazon ECS API", and Amazon ECS Developer
//! Guide, "AWS Fargate throttling quotas".

use std::collections::BTreeSet;

use crate::check_catalogue::CheckInput;
use crate::check_finding::CheckFinding;

/// Tasks on Fargate that an account may start at once, and each second after that.
const LAUNCHES_AT_ONCE: u32 = 20;
const LAUNCHES_PER_S: u32 = 20;
/// Requests about tasks that an account may send each second.
const READS_PER_S: u32 = 20;
/// How long the last job may wait for its launch. Ours.
const MOST_WAIT_S: u32 = 10;

/// Judges it.
pub(crate) fn judge(input: CheckInput<'_>) -> Vec<CheckFinding> {
    let rates = input.needs.profiles.iter().map(|profile| profile.limits.ecs_reads_per_second);
    let rates: BTreeSet<u32> = rates.collect();
    let highest = rates.last().copied().unwrap_or_default();
    if highest > READS_PER_S {
        let found = format!(
            "`limits.ecs_reads_per_second` is {highest}; AWS answers {READS_PER_S} a second for the whole account"
        );
        return vec![
            CheckFinding::warn(found)
                .fix("lower it, unless AWS has raised the limit of this account")
                .command(format!("[defaults.limits]\necs_reads_per_second = {READS_PER_S}")),
        ];
    }
    let lowest = rates.first().copied().unwrap_or(READS_PER_S);
    let Some(jobs) = input.needs.concurrency else {
        return vec![CheckFinding::pass(format!(
            "at most {highest} questions about tasks a second, of {READS_PER_S} that AWS answers"
        ))];
    };
    let wait_s = jobs.saturating_sub(LAUNCHES_AT_ONCE).div_ceil(LAUNCHES_PER_S);
    // A job that waits for its task asks once in this time.
    let polls = input.needs.profiles.iter().map(|profile| profile.timeouts.ecs_poll_max);
    let poll_s = u32::try_from(polls.min().unwrap_or_default().as_secs()).unwrap_or(u32::MAX);
    let served = lowest.saturating_mul(poll_s.max(1));
    vec![if wait_s > MOST_WAIT_S {
        CheckFinding::warn(format!(
            "if {jobs} jobs start at one time, the last one waits {wait_s} s for AWS to take its launch"
        ))
        .fix("ask AWS Support for more launches of tasks a second")
    } else if jobs > served {
        CheckFinding::warn(format!(
            "{jobs} jobs share {lowest} questions about tasks a second, so each may learn late what its task does"
        ))
        .fix("raise `limits.ecs_reads_per_second` to at most 20, raise `timeouts.ecs_poll_max`, or let fewer jobs run at one time")
    } else {
        CheckFinding::pass(format!(
            "{jobs} jobs at one time: the last launch waits {wait_s} s, and {lowest} questions about tasks a second \
             are enough"
        ))
    }]
}
