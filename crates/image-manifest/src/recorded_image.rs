//! One image in the manifest: where it is pushed, its versions and its channels.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{ChannelAssignment, ChannelName, ImageDigest, RecordedVersion};

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

    /// The version that a person names by digest or by candidate tag.
    #[must_use]
    pub fn named(&self, text: &str) -> Option<&RecordedVersion> {
        self.versions.iter().find(|version| version.digest.as_str() == text || version.tag == text)
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

    /// Adds a version, or replaces what is recorded of the same digest. Channels stay as they are, and a
    /// version that was revoked stays revoked.
    pub fn record(&mut self, mut version: RecordedVersion) {
        match self.version_mut(&version.digest) {
            Some(known) => {
                if known.is_revoked() {
                    version.status = known.status;
                    version.revoked_reason = known.revoked_reason.take();
                }
                *known = version;
            }
            None => self.versions.push(version),
        }
        self.versions.sort_by(|a, b| (a.created, &a.digest).cmp(&(b.created, &b.digest)));
    }
}
