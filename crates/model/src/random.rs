//! Random bytes for secrets and tokens, from the operating system alone.
//!
//! Where nothing secret depends on the number, such as in the length of a pause, [`backoff`] is enough.
//!
//! [`backoff`]: crate::backoff

use crate::id::RandomToken;

/// `N` random bytes.
///
/// # Errors
///
/// Returns the operating system's error, which only a broken host gives.
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
