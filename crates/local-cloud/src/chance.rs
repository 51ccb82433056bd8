//! Numbers that look like chance and are the same everywhere: splitmix64, enough for delays and
//! faults, and for no secret.

/// What is added for each further number of a sequence.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// Number `n` of the sequence of `seed`, from 0 up to 1.
pub(crate) fn fraction(seed: u64, n: u64) -> f64 {
    let mut z = seed.wrapping_add(STEP.wrapping_mul(n.wrapping_add(1)));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^= z >> 31;
    let high = u32::try_from(z >> 32).expect("the upper half of 64 bits has 32");
    f64::from(high) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_of_a_sequence_lies_below_a_tenth_and_every_seed_has_its_own() {
        for seed in [0, 1, 7, u64::MAX] {
            let below = (0..10_000).filter(|n| fraction(seed, *n) < 0.1).count();
            assert!((900..1100).contains(&below), "{below} with seed {seed}");
        }
        let of = |seed| (0..20).map(|n| fraction(seed, n)).collect::<Vec<_>>();
        assert_eq!(of(7), of(7));
        assert_ne!(of(7), of(8));
    }
}
