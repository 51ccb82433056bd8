//! The cloud's clock: wall time that never goes back, and that follows a paused test clock.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// Wall time at the start, plus what the runtime's clock measured since.
pub(crate) struct Clock {
    origin: SystemTime,
    started: Instant,
}

impl Clock {
    pub fn start() -> Self {
        // Whole milliseconds, because that is what timestamps on the wire carry.
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let millis = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        let origin = SystemTime::UNIX_EPOCH + Duration::from_millis(millis);
        Self { origin, started: Instant::now() }
    }

    pub fn now(&self) -> SystemTime {
        self.origin + self.started.elapsed()
    }
}

/// Seconds since 1970, with milliseconds, as timestamps stand on the wire.
pub(crate) fn epoch_seconds(time: SystemTime) -> f64 {
    let millis = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
    // 2^53 milliseconds reach beyond the year 287000.
    let millis = u64::try_from(millis).unwrap_or(u64::MAX);
    (Duration::from_millis(millis)).as_secs_f64()
}
