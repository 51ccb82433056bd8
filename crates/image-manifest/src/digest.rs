//! The digest of an image's manifest: `sha256:` and 64 lower-case hexadecimal digits.
//!
//! It computes none.

use std::fmt;
use std::str::FromStr;

use fargate_model::text::escape_within;
use serde::{Deserialize, Serialize};

/// A digest of SHA-256.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ImageDigest(String);

/// A text is no digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is no digest; a digest is `sha256:` and 64 lower-case hexadecimal digits")]
pub struct InvalidDigest {
    /// The text.
    pub given: String,
}

impl ImageDigest {
    /// The whole text, with `sha256:`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first 12 digits, as people compare digests.
    #[must_use]
    pub fn short(&self) -> &str {
        &self.0["sha256:".len()..][..12]
    }
}

impl fmt::Display for ImageDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for ImageDigest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        let digits = text.strip_prefix("sha256:");
        match digits.is_some_and(|digits| digits.len() == 64 && digits.bytes().all(is_digit)) {
            true => Ok(Self(text.to_owned())),
            false => Err(InvalidDigest { given: escape_within(text, 100) }),
        }
    }
}

impl TryFrom<String> for ImageDigest {
    type Error = InvalidDigest;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ImageDigest> for String {
    fn from(digest: ImageDigest) -> Self {
        digest.0
    }
}
