//! What a publication did, or what it left when it failed.

use std::path::PathBuf;

use fargate_config::ManagedImage;
use fargate_image_manifest::{ImageDigest, RecordedVersion};
use fargate_model::text::duration;
use serde::Serialize;

use crate::failure::ImageFailure;
use crate::smoke_test::SmokeTestReport;

/// What came of a publication.
#[derive(Clone, Debug, Serialize)]
pub struct PublishReport {
    /// The image's name.
    pub image: String,
    /// `REPOSITORY@DIGEST`, as jobs name it.
    pub reference: String,
    /// The digest.
    pub digest: ImageDigest,
    /// The candidate tag.
    pub tag: String,
    /// Whether it was published now. Else the manifest listed a version of the same content before.
    pub published: bool,
    /// Bytes of layers that were sent.
    pub sent_bytes: u64,
    /// How many packages its list names; 0 if nothing was published.
    pub packages: usize,
    /// The job that ran in it; none if there was no engine, or nothing was published.
    pub smoke: Option<SmokeTestReport>,
    /// The manifest that lists it.
    pub manifest: PathBuf,
    /// What the manifest says of it.
    pub version: RecordedVersion,
}

impl PublishReport {
    pub(super) fn of(image: &ManagedImage, version: RecordedVersion, published: bool) -> Self {
        Self {
            image: image.name.clone(),
            reference: format!("{}@{}", image.repository, version.digest),
            digest: version.digest.clone(),
            tag: version.tag.clone(),
            published,
            sent_bytes: 0,
            packages: 0,
            smoke: None,
            manifest: image.manifest.clone(),
            version,
        }
    }
}

/// A publication failed.
#[derive(Debug, thiserror::Error)]
#[error("{failure}")]
pub struct PublishFailure {
    /// Why.
    #[source]
    pub failure: ImageFailure,
    /// What is in the registry now, in one line for people.
    pub left: String,
}

/// How far a publication came.
pub(super) enum PublishReach {
    /// No byte of the image was sent.
    NothingPushed,
    /// Some of it may be in the registry, and no tag names it.
    Untagged,
    /// This tag names it.
    Tagged(String),
}

impl PublishReach {
    /// What is left of it.
    pub(super) fn words(&self, image: &ManagedImage) -> String {
        match self {
            Self::NothingPushed => "nothing was pushed".to_owned(),
            Self::Untagged => {
                "no tag was written, so nobody sees what was pushed; the next run sends the rest"
                    .to_owned()
            }
            Self::Tagged(tag) => format!(
                "the registry may have the tag {tag}, which the manifest does not list: the next run \
                 takes it over, or `fargate-runner image gc {} --apply` deletes it after {}",
                image.name,
                duration(image.unneeded_after)
            ),
        }
    }
}
