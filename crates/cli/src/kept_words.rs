//! How every command says until when a task is kept.

use std::time::SystemTime;

use fargate_model::text::ticking;
use fargate_state::KeptTask;

/// `kept until 14:05 UTC (12m left)`.
pub fn kept_until(kept: KeptTask, now: SystemTime) -> String {
    let left = match kept.time_left(now) {
        Some(left) => format!("{} left", ticking(left)),
        None => "over".to_owned(),
    };
    format!("kept until {} ({left})", kept.clock_time())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn the_time_of_the_day_and_the_time_left_are_told() {
        let kept = KeptTask { keep_until_unix_s: 14 * 3600 + 300 };
        let at = |seconds| kept_until(kept, UNIX_EPOCH + Duration::from_secs(seconds));
        insta::assert_snapshot!(at(14 * 3600 - 420), @"kept until 14:05 UTC (12m 00s left)");
        insta::assert_snapshot!(at(15 * 3600), @"kept until 14:05 UTC (over)");
    }
}
