//! What `NAME@CHANNEL` means: the image by its digest, or why nobody may use it. A version that is named by its
//! digest is judged in the same way.
//!
//! No registry is asked: the manifest alone decides.

use std::path::Path;
use std::time::Duration;

use crate::{
    ChannelName, ImageDigest, ManifestError, ManifestFile, ManifestTime, RecordedImage,
    RecordedVersion,
};

/// The image that a channel has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelImage {
    /// `REPOSITORY@DIGEST`.
    pub text: String,
    /// The digest.
    pub digest: ImageDigest,
    /// The candidate tag, for people.
    pub tag: String,
    /// The size of the image in its registry, compressed, in bytes; `None`: not recorded.
    pub size_bytes: Option<u64>,
    /// Since when it is deprecated, if it is.
    pub deprecated_since: Option<ManifestTime>,
    /// From when on it is refused, if it is deprecated and the configuration has such a time.
    pub refused_from: Option<ManifestTime>,
}

/// Why a channel or a digest gives no image.
#[derive(Debug, thiserror::Error)]
pub enum ChannelRefusal {
    /// The manifest cannot be read.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The manifest does not know the image.
    #[error("the manifest lists no image `{name}`; it lists {}", listed(known))]
    NoImage {
        /// The image.
        name: String,
        /// The images that it lists.
        known: Vec<String>,
    },
    /// The image has no such channel.
    #[error("the image `{name}` has no channel `{channel}`; it has {}", listed(known))]
    NoChannel {
        /// The image.
        name: String,
        /// The channel.
        channel: ChannelName,
        /// The channels that it has.
        known: Vec<String>,
    },
    /// The version is revoked.
    #[error(
        "channel `{channel}` of `{name}` has {digest}, which is revoked: {}",
        reason.as_deref().unwrap_or("no reason is recorded")
    )]
    Revoked {
        /// The image.
        name: String,
        /// The channel.
        channel: ChannelName,
        /// The version.
        digest: ImageDigest,
        /// Why.
        reason: Option<String>,
    },
    /// The version is deprecated for too long.
    #[error(
        "channel `{channel}` of `{name}` has {digest}, which is deprecated since {since} and refused since \
         {refused}"
    )]
    Deprecated {
        /// The image.
        name: String,
        /// The channel.
        channel: ChannelName,
        /// The version.
        digest: ImageDigest,
        /// Since when jobs are warned.
        since: ManifestTime,
        /// Since when it is refused.
        refused: ManifestTime,
    },
    /// The version that a digest names is revoked.
    #[error(
        "version {digest} of `{name}` is revoked: {}",
        reason.as_deref().unwrap_or("no reason is recorded")
    )]
    DigestRevoked {
        /// The image.
        name: String,
        /// The version.
        digest: ImageDigest,
        /// Why.
        reason: Option<String>,
    },
    /// The version that a digest names is deprecated for too long.
    #[error("version {digest} of `{name}` is deprecated since {since} and refused since {refused}")]
    DigestDeprecated {
        /// The image.
        name: String,
        /// The version.
        digest: ImageDigest,
        /// Since when jobs are warned.
        since: ManifestTime,
        /// Since when it is refused.
        refused: ManifestTime,
    },
}

fn listed(names: &[String]) -> String {
    const SHOWN: usize = 10;
    match names.len() {
        0 => "none".to_owned(),
        n if n > SHOWN => format!("{} and {} more", names[..SHOWN].join(", "), n - SHOWN),
        _ => names.join(", "),
    }
}

impl ChannelImage {
    /// The image of `NAME@CHANNEL` at the moment `now`. A deprecated version is refused `grace` after its
    /// deprecation; without `grace` it never is.
    ///
    /// # Errors
    ///
    /// [`ChannelRefusal`].
    pub fn resolve(
        manifest: &Path,
        name: &str,
        channel: &ChannelName,
        grace: Option<Duration>,
        now: ManifestTime,
    ) -> Result<Self, ChannelRefusal> {
        let images = ManifestFile::read(manifest)?.manifest.images;
        let Some(image) = images.get(name) else {
            let known = images.keys().cloned().collect();
            return Err(ChannelRefusal::NoImage { name: name.to_owned(), known });
        };
        Self::of(image, name, channel, grace, now)
    }

    /// The version that a digest names, judged in the same way; `None` if the manifest does not list it.
    ///
    /// # Errors
    ///
    /// [`ChannelRefusal`].
    pub fn of_digest(
        manifest: &Path,
        name: &str,
        digest: &ImageDigest,
        grace: Option<Duration>,
        now: ManifestTime,
    ) -> Result<Option<Self>, ChannelRefusal> {
        let images = ManifestFile::read(manifest)?.manifest.images;
        let Some(image) = images.get(name) else { return Ok(None) };
        let Some(version) = image.version(digest) else { return Ok(None) };
        let (name, digest) = (name.to_owned(), digest.clone());
        if version.is_revoked() {
            let reason = version.revoked_reason.clone();
            return Err(ChannelRefusal::DigestRevoked { name, digest, reason });
        }
        let found = Self::judged(image, version, grace, now);
        match (found.deprecated_since, found.refused_from) {
            (Some(since), Some(refused)) if refused <= now => {
                Err(ChannelRefusal::DigestDeprecated { name, digest, since, refused })
            }
            _ => Ok(Some(found)),
        }
    }

    fn judged(
        image: &RecordedImage,
        version: &RecordedVersion,
        grace: Option<Duration>,
        now: ManifestTime,
    ) -> Self {
        let digest = version.digest.clone();
        let deprecated_since = version.deprecation_time.filter(|since| *since <= now);
        let refused_from = deprecated_since.zip(grace).map(|(since, grace)| since.after(grace));
        let text = format!("{}@{digest}", image.repository);
        let size_bytes = Some(version.size_bytes).filter(|size| *size > 0);
        let tag = version.tag.clone();
        Self { text, digest, tag, size_bytes, deprecated_since, refused_from }
    }

    fn of(
        image: &RecordedImage,
        name: &str,
        channel: &ChannelName,
        grace: Option<Duration>,
        now: ManifestTime,
    ) -> Result<Self, ChannelRefusal> {
        let (name, channel) = (name.to_owned(), channel.clone());
        let Some(version) = image.version_of(&channel) else {
            let known = image.channels.keys().map(ToString::to_string).collect();
            return Err(ChannelRefusal::NoChannel { name, channel, known });
        };
        let digest = version.digest.clone();
        if version.is_revoked() {
            let reason = version.revoked_reason.clone();
            return Err(ChannelRefusal::Revoked { name, channel, digest, reason });
        }
        let found = Self::judged(image, version, grace, now);
        match (found.deprecated_since, found.refused_from) {
            (Some(since), Some(refused)) if refused <= now => {
                Err(ChannelRefusal::Deprecated { name, channel, digest, since, refused })
            }
            _ => Ok(found),
        }
    }
}
