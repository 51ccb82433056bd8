//! Waiting for a condition, with a deadline and with words for its failure.

use std::future::ready;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, timeout};

/// Longest wait for what should happen soon: generous, because tests share two cores.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks.
const AGAIN: Duration = Duration::from_millis(5);

/// Returns once `condition` holds.
///
/// # Panics
///
/// With `what` if it does not hold within [`PATIENCE`].
pub async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    until_found(what, || ready(condition().then_some(()).ok_or_else(String::new))).await;
}

/// Looks until there is something to return; each look that found nothing says what it saw instead.
///
/// # Panics
///
/// With `what` and with what was seen last, if nothing is found within [`PATIENCE`].
pub async fn until_found<T, Look>(what: &str, mut look: impl FnMut() -> Look) -> T
where
    Look: Future<Output = Result<T, String>>,
{
    let mut looks = interval(AGAIN);
    // After a look that took long comes a pause all the same.
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut seen = String::new();
    let found = timeout(PATIENCE, async {
        loop {
            looks.tick().await;
            match look().await {
                Ok(found) => break found,
                Err(instead) => seen = instead,
            }
        }
    })
    .await;
    found.unwrap_or_else(|_| panic!("{what}: not within {} s; {seen}", PATIENCE.as_secs()))
}
