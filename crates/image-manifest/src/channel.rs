//! A channel: a name such as `stable` that leads to one version of an image, and to which versions it led
//! before.

use std::fmt;
use std::str::FromStr;

use fargate_model::text::escape_within;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{ImageDigest, ManifestTime};

/// Longest name of a channel, in characters. Ours.
const MAX_NAME: usize = 32;

/// The name of a channel. It is the tag of the channel in the registry as well.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ChannelName(String);

/// A text is no name of a channel.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{given}` is no channel; a channel has 1 to {MAX_NAME} lower-case letters, digits and hyphens, and \
     begins with a letter, for example `latest` or `stable`"
)]
pub struct InvalidChannelName {
    /// The text.
    pub given: String,
}

impl ChannelName {
    /// The channel with what was tested last.
    #[must_use]
    pub fn latest() -> Self {
        Self("latest".to_owned())
    }

    /// The channel with what jobs are to use.
    #[must_use]
    pub fn stable() -> Self {
        Self("stable".to_owned())
    }

    /// Whether the strict rules of `stable` count: soak time, vulnerabilities, deprecation.
    #[must_use]
    pub fn is_stable(&self) -> bool {
        self.0 == "stable"
    }

    /// The name. The registry's tag for it is the same text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for ChannelName {
    type Err = InvalidChannelName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let is_name = text.len() <= MAX_NAME
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.bytes().all(allowed);
        match is_name {
            true => Ok(Self(text.to_owned())),
            false => Err(InvalidChannelName { given: escape_within(text, 60) }),
        }
    }
}

impl TryFrom<String> for ChannelName {
    type Error = InvalidChannelName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ChannelName> for String {
    fn from(name: ChannelName) -> Self {
        name.0
    }
}

/// What a channel leads to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChannelAssignment {
    /// The version that it has now.
    pub digest: ImageDigest,
    /// Since when.
    pub since: ManifestTime,
    /// The versions that it had before, the last one first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former: Vec<FormerAssignment>,
    /// Members that this version of the program does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A version that a channel had.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FormerAssignment {
    /// The version.
    pub digest: ImageDigest,
    /// Since when the channel had it.
    pub since: ManifestTime,
    /// Members that this version of the program does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}
