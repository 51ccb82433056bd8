//! How much a test of much data moves.

/// Megabytes: `usual`, or what `FARGATE_TEST_MEGABYTES` says.
///
/// # Panics
///
/// If that is no number.
#[must_use]
pub fn megabytes(usual: u64) -> u64 {
    let given = std::env::var("FARGATE_TEST_MEGABYTES").ok();
    given.map_or(usual, |given| given.parse().expect("FARGATE_TEST_MEGABYTES is a number"))
}
