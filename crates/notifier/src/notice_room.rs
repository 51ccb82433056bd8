//! How many messages may still be made: a store that fills up evenly over an hour.

use tokio::time::Instant;

const HOUR_S: f64 = 3600.0;

/// Room for messages.
#[derive(Debug)]
pub(crate) struct NoticeRoom {
    most: f64,
    left: f64,
    at: Instant,
}

impl NoticeRoom {
    /// Room for so many messages in each hour.
    pub(crate) fn new(per_hour: u32, now: Instant) -> Self {
        Self { most: f64::from(per_hour), left: f64::from(per_hour), at: now }
    }

    /// Takes the room of one message, if there is some.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let passed = now.duration_since(self.at).as_secs_f64();
        self.left = (self.left + passed * self.most / HOUR_S).min(self.most);
        self.at = now;
        let is_there = self.left >= 1.0;
        if is_there {
            self.left -= 1.0;
        }
        is_there
    }
}
