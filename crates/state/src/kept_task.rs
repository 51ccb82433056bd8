//! A task that is kept after its job failed, so that a person can look into it.
//!
//! The driver wipes the task and keeps it. This only says until when.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// A task that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptTask {
    /// Until when, in seconds since 1970. At this time the task ends itself.
    pub keep_until_unix_s: u64,
}

impl KeptTask {
    /// How long it is still kept. `None` if the time is over.
    #[must_use]
    pub fn time_left(&self, now: SystemTime) -> Option<Duration> {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        Duration::from_secs(self.keep_until_unix_s).checked_sub(now).filter(|left| !left.is_zero())
    }

    /// Until when, as a time of the day in UTC: `14:05 UTC`.
    #[must_use]
    pub fn clock_time(&self) -> String {
        let minutes = self.keep_until_unix_s / 60 % (24 * 60);
        format!("{:02}:{:02} UTC", minutes / 60, minutes % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_task_tells_how_long_it_is_left_and_when_its_time_is_over() {
        let kept = KeptTask { keep_until_unix_s: 14 * 3600 + 5 * 60 };
        let at = |seconds| kept.time_left(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(14 * 3600), Some(Duration::from_secs(300)));
        assert_eq!(at(kept.keep_until_unix_s), None);
        assert_eq!(at(u64::from(u32::MAX)), None);
        assert_eq!(kept.clock_time(), "14:05 UTC");
    }
}
