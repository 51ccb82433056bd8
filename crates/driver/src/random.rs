//! Randomness, from the operating system alone.

use std::time::Duration;

use fargate_model::id::RandomToken;

/// `N` random bytes.
///
/// # Errors
///
/// The operating system's, which only a broken host gives.
pub fn bytes<const N: usize>() -> std::io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
    Ok(bytes)
}

/// 128 random bits.
///
/// # Errors
///
/// As [`bytes`].
pub fn token() -> std::io::Result<RandomToken> {
    Ok(RandomToken::from_bits(bytes()?))
}

/// Between nothing and `limit`, so that many waiting processes do not call at once.
pub fn up_to(limit: Duration) -> Duration {
    // A host without randomness waits the whole time; that is safe, if not fair.
    let part = bytes().map_or(u32::MAX, u32::from_be_bytes);
    limit.mul_f64(f64::from(part) / f64::from(u32::MAX))
}

/// `duration` give or take a fifth.
pub fn jittered(duration: Duration) -> Duration {
    duration.mul_f64(0.8) + up_to(duration.mul_f64(0.4))
}
