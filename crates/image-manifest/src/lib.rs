//! The manifest of images, `images.json`: which versions of an image there are, what is known of each, and
//! which of them each channel has. The file is kept in git, and is the only place that decides what
//! `NAME@CHANNEL` means.
//!
//! It asks no registry and knows no configuration. Whether a version may be promoted is decided elsewhere;
//! what stands here keeps the file consistent: no channel has a version that is revoked or not listed.

mod channel;
mod channel_image;
mod digest;
mod image_channels;
mod manifest;
mod manifest_error;
mod manifest_file;
#[cfg(test)]
mod manifest_file_tests;
mod manifest_time;
mod recorded_image;
mod recorded_version;
mod unique_keys;

pub use channel::{ChannelAssignment, ChannelName, FormerAssignment, InvalidChannelName};
pub use channel_image::{ChannelImage, ChannelRefusal};
pub use digest::{ImageDigest, InvalidDigest};
pub use image_channels::{ChannelChange, ChannelChangeError};
pub use manifest::{ImageManifest, MANIFEST_SCHEMA};
pub use manifest_error::ManifestError;
pub use manifest_file::ManifestFile;
pub use manifest_time::ManifestTime;
pub use recorded_image::{RecordedImage, ReplicaRepository};
pub use recorded_version::{
    RecordedBase, RecordedVersion, ScanRecord, SmokeTestRecord, VersionStatus,
};
