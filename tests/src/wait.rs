//! Waiting for a condition, with a deadline and with words for its failure.

use std::time::{Duration, Instant};

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
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < PATIENCE, "{what}: not within {} s", PATIENCE.as_secs());
        tokio::time::sleep(AGAIN).await;
    }
}
