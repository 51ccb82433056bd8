//! Writes what is in an image and how it was built beside it in its repository.
//!
//! It reads each layer once, from the files of an OCI layout. It changes nothing of the image.

use std::path::PathBuf;

use fargate_image_manifest::ImageDigest;
use fargate_registry::RepositorySession;

use super::artifact_upload::{ReferrerPlace, upload_artifact};
use super::bill_of_materials::{AttestedImage, SBOM_TYPE, bill_of_materials};
use super::layer_packages::LayerPackages;
use super::oci_artifact::{ArtifactDescriptor, OciArtifact};
use super::provenance::{BuildProvenance, PROVENANCE_TYPE};
use crate::failure::ImageFailure;

/// One layer of the image: its kind, and the file with its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerFile {
    /// Such as `application/vnd.oci.image.layer.v1.tar+zstd`.
    pub media_type: String,
    /// The file.
    pub path: PathBuf,
}

/// What was written beside an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenAttestations {
    /// The manifest with the list of what is in the image.
    pub sbom: ImageDigest,
    /// The manifest with its provenance.
    pub provenance: ImageDigest,
    /// How many packages were found.
    pub packages: usize,
    /// Files of package managers that were not read, for a warning.
    pub skipped: Vec<String>,
    /// How both are found.
    pub place: ReferrerPlace,
}

/// Writes the list of packages and the provenance of an image that is in the repository. `subject` names its
/// manifest, `layers` are in the order of the manifest.
///
/// The same image and provenance give the same bytes, so it can be repeated.
///
/// # Errors
///
/// [`ImageFailure::Unusable`] if a layer cannot be read, and those of the registry.
pub async fn attest_image(
    session: &RepositorySession,
    image: &AttestedImage,
    subject: &ArtifactDescriptor,
    layers: Vec<LayerFile>,
    built: &BuildProvenance,
) -> Result<WrittenAttestations, ImageFailure> {
    let found = tokio::task::spawn_blocking(move || packages_of(&layers)).await;
    let found = found.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))?;
    let list = OciArtifact::about(subject, SBOM_TYPE, bill_of_materials(image, &found));
    let statement = OciArtifact::about(subject, PROVENANCE_TYPE, built.statement(image));
    // One after the other: both may change the same list.
    let place = upload_artifact(session, subject, &list).await?;
    upload_artifact(session, subject, &statement).await?;
    Ok(WrittenAttestations {
        sbom: list.descriptor.digest,
        provenance: statement.descriptor.digest,
        packages: found.packages().len(),
        skipped: found.skipped,
        place,
    })
}

fn packages_of(layers: &[LayerFile]) -> Result<LayerPackages, ImageFailure> {
    let mut found = LayerPackages::default();
    for (number, LayerFile { media_type, path }) in layers.iter().enumerate() {
        found.read_layer(media_type, path).map_err(|error| ImageFailure::Unusable {
            what: format!(
                "listing the packages of layer {} ({}): {error}",
                number + 1,
                path.display()
            ),
            hint: "publish the image again; the layers of this folder may be damaged".to_owned(),
        })?;
    }
    Ok(found)
}
