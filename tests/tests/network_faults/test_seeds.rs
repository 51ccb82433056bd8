//! The seeds from which tests draw where the network breaks.

/// How many seeds a test plays: `usual`, or what `FARGATE_TEST_SEEDS` says.
pub fn seeds(usual: u64) -> std::ops::RangeInclusive<u64> {
    let given = std::env::var("FARGATE_TEST_SEEDS").ok();
    1..=given.map_or(usual, |given| given.parse().expect("FARGATE_TEST_SEEDS is a number"))
}
