//! The cloud's clock: wall time that never goes back, follows a paused test clock, and can be moved
//! forward by the owner of the cloud. Processes still use the machine's clock.

use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::Instant;

/// The farthest that the clock can be moved in all: a hundred years.
const FARTHEST: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// Wall time at the start, plus what the runtime's clock measured since, plus what it was moved.
pub(crate) struct CloudClock {
    origin: SystemTime,
    started: Instant,
    moved: watch::Sender<Duration>,
}

impl CloudClock {
    pub fn start() -> Self {
        // Whole milliseconds, because that is what timestamps on the wire carry.
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let millis = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        let origin = SystemTime::UNIX_EPOCH + Duration::from_millis(millis);
        Self { origin, started: Instant::now(), moved: watch::Sender::new(Duration::ZERO) }
    }

    /// When the cloud started.
    pub fn began(&self) -> SystemTime {
        self.origin
    }

    /// The time in this cloud.
    pub fn now(&self) -> SystemTime {
        self.machine() + *self.moved.borrow()
    }

    /// The time on this machine, which clients use.
    pub fn machine(&self) -> SystemTime {
        self.origin + self.started.elapsed()
    }

    /// How far the clock was moved in all.
    pub fn moved(&self) -> Duration {
        *self.moved.borrow()
    }

    /// Moves the clock forward, up to [`FARTHEST`] in all. Everything that sleeps until a time that is
    /// now over wakes up.
    pub fn advance(&self, by: Duration) {
        self.moved.send_modify(|moved| *moved = moved.saturating_add(by).min(FARTHEST));
    }

    /// Waits until it is `at` in this cloud, because time passes or because the clock is moved.
    pub async fn sleep_until(&self, at: SystemTime) {
        let mut moved = self.moved.subscribe();
        loop {
            // The mark is set before the time is read, so that no move in between is missed.
            moved.borrow_and_update();
            let Ok(left) = at.duration_since(self.now()) else { return };
            if left.is_zero() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(left) => {}
                // This clock holds the sender, so there is no error.
                _ = moved.changed() => {}
            }
        }
    }

    /// Waits for so long, as above. A duration of zero returns at once.
    pub async fn sleep(&self, duration: Duration) {
        match self.now().checked_add(duration) {
            Some(at) => self.sleep_until(at).await,
            None => std::future::pending().await,
        }
    }
}

/// Seconds since 1970, with milliseconds, as timestamps stand on the wire.
pub(crate) fn epoch_seconds(time: SystemTime) -> f64 {
    let millis = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
    // 2^53 milliseconds reach beyond the year 287000.
    let millis = u64::try_from(millis).unwrap_or(u64::MAX);
    (Duration::from_millis(millis)).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[tokio::test(start_paused = true)]
    async fn a_sleeper_wakes_when_the_clock_is_moved_past_its_time_and_not_before() {
        let clock = CloudClock::start();
        let (started, before) = (Instant::now(), clock.now());
        let moving = async {
            clock.advance(HOUR / 2);
            tokio::time::sleep(Duration::from_secs(60)).await;
            clock.advance(HOUR);
        };
        tokio::join!(clock.sleep(HOUR), moving);
        assert_eq!(started.elapsed(), Duration::from_secs(60), "half an hour was not enough");
        assert_eq!(clock.now(), before + HOUR + HOUR / 2 + Duration::from_secs(60));
        assert_eq!(clock.machine(), before + Duration::from_secs(60));
    }

    #[tokio::test(start_paused = true)]
    async fn a_sleeper_wakes_by_itself_and_a_time_that_is_over_takes_none() {
        let clock = CloudClock::start();
        let started = Instant::now();
        clock.sleep(HOUR).await;
        assert_eq!(started.elapsed(), HOUR);
        clock.sleep_until(clock.now() - HOUR).await;
        clock.sleep(Duration::ZERO).await;
        assert_eq!(started.elapsed(), HOUR);
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_moved_too_far_stops_there() {
        let clock = CloudClock::start();
        clock.advance(Duration::MAX);
        clock.advance(Duration::MAX);
        assert_eq!(clock.moved(), FARTHEST);
        assert_eq!(clock.now(), clock.machine() + FARTHEST);
    }
}
