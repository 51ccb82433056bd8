//! Tokens by which programs and people sign in. Only the SHA-256 of a token is kept anywhere.
//!
//! A token has 256 random bits, so a fast hash is enough: nobody can try that many.

use sha2::{Digest, Sha256};

/// How tokens of ours begin, so that scanners for secrets find them.
const PREFIX: &str = "frt_";

/// What a signed-in caller may do.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum AccessRole {
    /// See everything, names included.
    Viewer,
    /// Stop tasks, pause and resume the host as well.
    Operator,
}

impl AccessRole {
    /// One word; programs read it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
        }
    }
}

/// One token of the configuration.
#[derive(Clone, Debug)]
pub struct AccessToken {
    /// Whose it is, for the audit log.
    pub name: String,
    /// What it allows.
    pub role: AccessRole,
    /// SHA-256 of the token.
    pub sha256: [u8; 32],
}

/// A new token: the text for its owner, and the hash for the configuration.
///
/// # Errors
///
/// The operating system's, if it gives no random bits.
pub fn new_token() -> std::io::Result<(String, String)> {
    let bits = fargate_model::random::bytes::<32>()?;
    let token = format!("{PREFIX}{}", hex::encode(bits));
    let hash = hex::encode(hash_of(&token));
    Ok((token, hash))
}

/// SHA-256 of a token.
#[must_use]
pub fn hash_of(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// Reads the 64 hexadecimal digits of the configuration.
#[must_use]
pub fn parse_hash(text: &str) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    hex::decode_to_slice(text, &mut hash).ok()?;
    Some(hash)
}

/// Compares in a time that does not depend on where they differ.
#[must_use]
pub fn is_equal(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}

/// The token of the list that `given` is.
#[must_use]
pub fn find<'a>(tokens: &'a [AccessToken], given: &str) -> Option<&'a AccessToken> {
    let hash = hash_of(given);
    // All are compared, so that the time tells nothing of the place in the list.
    tokens.iter().fold(None, |found, token| match is_equal(&token.sha256, &hash) {
        true => Some(token),
        false => found,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_token_is_found_by_its_hash_and_no_other_is() {
        let (token, hash) = new_token().unwrap();
        let sha256 = parse_hash(&hash).unwrap();
        let known = AccessToken { name: "anna".to_owned(), role: AccessRole::Viewer, sha256 };
        assert_eq!(find(std::slice::from_ref(&known), &token).unwrap().name, "anna");
        assert!(find(std::slice::from_ref(&known), &token[1..]).is_none());
        assert!(find(std::slice::from_ref(&known), &hash).is_none());
    }

    #[test]
    fn only_64_digits_are_a_hash() {
        assert!(parse_hash(&"a1".repeat(32)).is_some());
        for wrong in
            ["", "a1", &"g1".repeat(32), &"+f".repeat(32), &"a1".repeat(33), &"é".repeat(32)]
        {
            assert!(parse_hash(wrong).is_none(), "{wrong}");
        }
    }
}
