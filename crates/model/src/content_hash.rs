//! Names a text by its SHA-256, to tell whether it has changed.

use sha2::{Digest, Sha256};

/// The SHA-256 of these bytes, as 64 hexadecimal digits.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
