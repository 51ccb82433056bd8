//! Numbers that look like chance and are the same for the same seed: for delays and faults, and for no
//! secret.

use fastrand::Rng;

/// How far the seeds of neighbouring numbers lie apart: 2^64 divided by the golden ratio, which
/// spreads them evenly.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// Number `n` of the sequence of `seed`, from 0 up to 1.
///
/// Any number of a sequence can be asked for at once: a rule draws by the number of a task.
pub(crate) fn fraction(seed: u64, n: u64) -> f64 {
    let own_seed = seed.wrapping_add(STEP.wrapping_mul(n.wrapping_add(1)));
    Rng::with_seed(own_seed).f64()
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
