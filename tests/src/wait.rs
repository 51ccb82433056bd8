//! Waiting for a condition in a test: one that does not come in time fails the test with words for it.

use std::future::ready;
use std::time::Duration;

use fargate_playground::wait::{AGAIN, look_until};

/// Longest wait for what should happen soon: generous, because tests share two cores.
pub const PATIENCE: Duration = Duration::from_secs(20);

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
pub async fn until_found<T, Look>(what: &str, look: impl FnMut() -> Look) -> T
where
    Look: Future<Output = Result<T, String>>,
{
    let found = look_until(PATIENCE, AGAIN, look).await;
    found.unwrap_or_else(|seen| panic!("{what}: not within {} s; {seen}", PATIENCE.as_secs()))
}
