//! One image in the manifest: where it is pushed, its versions and its channels.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{ChannelAssignment, ChannelName, ImageDigest, RecordedVersion};

const DIGEST_START: &str = "sha256:";
/// Fewest digits of a digest that name a version. Ours.
const LEAST_DIGITS: usize = 8;

/// An image, its versions and its channels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordedImage {
    /// Registry and repository, without tag and digest.
    pub repository: String,
    /// The AWS Region of the repository, if it is one of ECR.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Repositories that have the same bytes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replicas: Vec<ReplicaRepository>,
    /// Which version each channel has.
    #[serde(default)]
    pub channels: BTreeMap<ChannelName, ChannelAssignment>,
    /// The versions, the oldest first.
    #[serde(default)]
    pub versions: Vec<RecordedVersion>,
    /// Members that this version of the program does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A repository that has the same bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReplicaRepository {
    /// Registry and repository, without tag and digest.
    pub repository: String,
    /// Its AWS Region, if it is one of ECR.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Members that this version of the program does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl RecordedImage {
    /// An image without versions.
    #[must_use]
    pub fn empty(repository: &str) -> Self {
        Self {
            repository: repository.to_owned(),
            region: None,
            replicas: Vec::new(),
            channels: BTreeMap::new(),
            versions: Vec::new(),
            other: Map::new(),
        }
    }

    /// The version with this digest.
    #[must_use]
    pub fn version(&self, digest: &ImageDigest) -> Option<&RecordedVersion> {
        self.versions.iter().find(|version| version.digest == *digest)
    }

    /// The version with this digest, to be changed.
    pub fn version_mut(&mut self, digest: &ImageDigest) -> Option<&mut RecordedVersion> {
        self.versions.iter_mut().find(|version| version.digest == *digest)
    }

    /// The version that a person names by digest, by at least eight first digits of it that no other version
    /// has, or by candidate tag.
    #[must_use]
    pub fn named(&self, text: &str) -> Option<&RecordedVersion> {
        let is_it =
            |version: &&RecordedVersion| version.digest.as_str() == text || version.tag == text;
        self.versions.iter().find(is_it).or_else(|| {
            let digits = text.strip_prefix(DIGEST_START).unwrap_or(text);
            let begins = |version: &&RecordedVersion| {
                version.digest.as_str()[DIGEST_START.len()..].starts_with(digits)
            };
            let mut found = self.versions.iter().filter(begins);
            let first = found.next().filter(|_| digits.len() >= LEAST_DIGITS);
            first.filter(|_| found.next().is_none())
        })
    }

    /// The channels that have this version.
    pub fn channels_of<'a>(
        &'a self,
        digest: &'a ImageDigest,
    ) -> impl Iterator<Item = &'a ChannelName> + 'a {
        let having = self.channels.iter().filter(move |(_, assigned)| assigned.digest == *digest);
        having.map(|(name, _)| name)
    }

    /// The version that a channel has.
    #[must_use]
    pub fn version_of(&self, channel: &ChannelName) -> Option<&RecordedVersion> {
        self.version(&self.channels.get(channel)?.digest)
    }

    /// Adds a version, or replaces what is recorded of the same digest. Channels stay as they are, a version
    /// that was revoked stays revoked, and what was added after a version was published stays: its signature,
    /// its end, and members that are not known here.
    pub fn record(&mut self, mut version: RecordedVersion) {
        match self.version_mut(&version.digest) {
            Some(known) => {
                if known.is_revoked() {
                    version.status = known.status;
                    version.revoked_reason = known.revoked_reason.take();
                }
                version.signature = version.signature.or(known.signature.take());
                version.deprecation_time = version.deprecation_time.or(known.deprecation_time);
                for (name, member) in std::mem::take(&mut known.other) {
                    version.other.entry(name).or_insert(member);
                }
                *known = version;
            }
            None => self.versions.push(version),
        }
        self.versions.sort_by(|a, b| (a.created, &a.digest).cmp(&(b.created, &b.digest)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ManifestTime, VersionStatus};

    fn version(digits: &str) -> RecordedVersion {
        let digest = format!("{DIGEST_START}{digits:0<64}").parse().unwrap();
        RecordedVersion::candidate(digest, &format!("ci-{digits}"), ManifestTime::now())
    }

    #[test]
    fn a_version_is_named_by_its_tag_its_digest_or_enough_digits_of_it() {
        let mut image = RecordedImage::empty("registry.example/ci");
        for digits in ["1234567890", "1234567891", "abcdef12"] {
            image.record(version(digits));
        }
        let whole = version("abcdef12").digest.to_string();
        for (text, digits) in [
            ("ci-1234567890", Some("1234567890")),
            (whole.as_str(), Some("abcdef12")),
            ("abcdef12", Some("abcdef12")),
            ("sha256:1234567891", Some("1234567891")),
            ("12345678", None),
            ("abcdef1", None),
            ("", None),
        ] {
            let found = image.named(text).map(|found| found.tag.clone());
            assert_eq!(found, digits.map(|digits| format!("ci-{digits}")), "{text}");
        }
    }

    #[test]
    fn what_was_added_after_a_version_was_published_stays_when_it_is_published_again() {
        let mut image = RecordedImage::empty("registry.example/ci");
        let mut first = version("1");
        first.signature = Some(version("2").digest);
        first.other.insert("by_a_newer_program".to_owned(), 1.into());
        image.record(first);
        let mut second = version("1");
        second.status = VersionStatus::Tested;
        image.record(second);
        let [now] = &image.versions[..] else { panic!("{image:?}") };
        assert_eq!(now.status, VersionStatus::Tested);
        assert_eq!(now.signature, Some(version("2").digest));
        assert_eq!(now.other["by_a_newer_program"], 1);
    }
}
