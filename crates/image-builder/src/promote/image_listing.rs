//! `image list`: what the manifests say of the images of the configuration. Nothing is asked.

use fargate_config::{ManagedImage, RunnerConfig};
use fargate_image_manifest::{
    ChannelName, ImageDigest, ManifestFile, ManifestTime, RecordedVersion, VersionStatus,
};
use serde::Serialize;

use super::channel_commands::recorded;
use crate::failure::ImageFailure;
use crate::image_check::find_image;

/// One version in the list.
#[derive(Clone, Debug, Serialize)]
pub struct ListedVersion {
    /// The image.
    pub image: String,
    /// Where it is.
    pub repository: String,
    /// The channels that have it.
    pub channels: Vec<ChannelName>,
    /// What became of it.
    pub status: VersionStatus,
    /// Its candidate tag.
    pub tag: String,
    /// Its digest.
    pub digest: ImageDigest,
    /// When it was published.
    pub created: ManifestTime,
    /// The bytes that a task pulls.
    pub size_bytes: u64,
    /// From when on jobs are warned that it is old.
    pub deprecation_time: Option<ManifestTime>,
    /// Why it was revoked.
    pub revoked_reason: Option<String>,
}

/// The versions of one image, or of all of the configuration: the newest first. An image that was never
/// published has none.
///
/// # Errors
///
/// [`ImageFailure::UnknownImage`], and [`ImageFailure::Unusable`] for a manifest that cannot be read.
pub fn list_versions(
    config: &RunnerConfig,
    name: Option<&str>,
) -> Result<Vec<ListedVersion>, ImageFailure> {
    let images: Vec<ManagedImage> = match name {
        Some(name) => vec![find_image(config, name)?],
        None => config.managed_images().collect(),
    };
    let mut listed = Vec::new();
    for image in images {
        let file = ManifestFile::read_or_empty(&image.manifest)?;
        if !file.manifest.images.contains_key(&image.name) {
            continue;
        }
        let entry = recorded(&file, &image)?;
        let row = |version: &RecordedVersion| ListedVersion {
            image: image.name.clone(),
            repository: entry.repository.clone(),
            channels: entry.channels_of(&version.digest).cloned().collect(),
            status: version.status,
            tag: version.tag.clone(),
            digest: version.digest.clone(),
            created: version.created,
            size_bytes: version.size_bytes,
            deprecation_time: version.deprecation_time,
            revoked_reason: version.revoked_reason.clone(),
        };
        listed.extend(entry.versions.iter().rev().map(row));
    }
    Ok(listed)
}
