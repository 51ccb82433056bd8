//! From an image in the registry to a folder in the OCI image layout, for a test of what jobs get. Nothing is
//! searched or run here, and no engine is asked.

use std::path::Path;

use fargate_config::{JobProfile, ManagedImage};
use fargate_model::text::bytes;

use crate::event::ImageStep;
use crate::failure::ImageFailure;
use crate::image_run::ImageRun;
use crate::oci_layout::OciLayout;
use crate::push::PushTarget;

/// Pulls a version of an image into `folder`, which must be new or empty, and checks every byte. `version` is a
/// tag or a digest.
///
/// # Errors
///
/// [`ImageFailure::NotVerified`] if there is no such version or if anything differs, [`ImageFailure::Unusable`]
/// if it is no single image or if the disk refuses, [`ImageFailure::RegistryDenied`],
/// [`ImageFailure::PushFailed`] if the registry does not answer, [`ImageFailure::Interrupted`].
pub async fn pull_image(
    image: &ManagedImage,
    profile: &JobProfile,
    version: &str,
    folder: &Path,
    run: &ImageRun,
) -> Result<OciLayout, ImageFailure> {
    run.step(ImageStep::Pull, async {
        let target = PushTarget::open(image, profile, &run.masker).await?;
        let digest = target.digest_of(version).await?;
        let layout = target.pull(&digest, folder, run).await?;
        let layers = layout.manifest().layers.len();
        let summary = format!("{layers} layers, {}", bytes(layout.layer_bytes()));
        Ok((layout, summary))
    })
    .await
}
