//! Numbers that a seed gives, the same ones each time.

/// `SplitMix64`. Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014.
pub struct SplitMix64(u64);

impl SplitMix64 {
    /// From this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Less than `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

/// How many seeds a test plays: `usual`, or what `FARGATE_TEST_SEEDS` says.
pub fn seeds(usual: u64) -> std::ops::RangeInclusive<u64> {
    let given = std::env::var("FARGATE_TEST_SEEDS").ok();
    1..=given.map_or(usual, |given| given.parse().expect("FARGATE_TEST_SEEDS is a number"))
}
