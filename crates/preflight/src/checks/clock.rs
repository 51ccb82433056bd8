//! Whether the clock of this host is that of AWS.

use crate::check_catalogue::CheckInput;
use crate::check_finding::CheckFinding;

/// How far the clocks may differ, in seconds. Ours: records hold deadlines of minutes.
const MOST_S: u64 = 30;

/// Judges it.
pub(crate) fn judge(input: CheckInput<'_>) -> Vec<CheckFinding> {
    let ahead = match input.view.host.clock_ahead_s.or_unknown("the time of AWS") {
        Ok(ahead) => *ahead,
        Err(unknown) => return vec![unknown],
    };
    let seconds = ahead.unsigned_abs();
    let side = if ahead < 0 { "behind" } else { "ahead of" };
    vec![match seconds <= MOST_S {
        true => CheckFinding::pass(format!("at most {} s from the clock of AWS", seconds + 1)),
        false => CheckFinding::warn(format!(
            "the clock of this host is {seconds} s {side} that of AWS: deadlines of jobs are wrong by that, \
             and each call to AWS may be made twice"
        ))
        .fix("synchronise it, for example with chrony")
        .command("sudo chronyc makestep"),
    }]
}
