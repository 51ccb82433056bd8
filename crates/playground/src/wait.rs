//! Waiting for a condition: each wait has a deadline, and one that fails says what was seen last.

use std::convert::Infallible;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval, timeout};

/// The usual time between two looks.
pub const AGAIN: Duration = Duration::from_millis(5);

/// Looks until there is something to return; each look that found nothing says what it saw instead.
///
/// # Errors
///
/// What the last look saw, if nothing is found `within` this time.
pub async fn look_until<T, Look>(
    within: Duration,
    every: Duration,
    mut look: impl FnMut() -> Look,
) -> Result<T, String>
where
    Look: Future<Output = Result<T, String>>,
{
    let mut looks = interval(every);
    // A look that took long is followed by a whole pause, too.
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut seen = "no look ended".to_owned();
    let found = timeout(within, async {
        loop {
            looks.tick().await;
            match look().await {
                Ok(found) => break found,
                Err(instead) => seen = instead,
            }
        }
    })
    .await;
    found.map_err(|_| seen)
}

/// As [`look_until`], for a caller that blocks its thread. A look that takes long delays the end.
pub fn look_until_blocking<T>(
    within: Duration,
    every: Duration,
    mut look: impl FnMut() -> Option<T>,
) -> Option<T> {
    // Nobody sends through this channel: that nothing came in time is the tick of this clock.
    let (_held, ticks) = mpsc::channel::<Infallible>();
    let deadline = Instant::now() + within;
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if Instant::now() > deadline {
            return None;
        }
        ticks.recv_timeout(every).ok();
    }
}
