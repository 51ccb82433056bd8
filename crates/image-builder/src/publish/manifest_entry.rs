//! Lists a version in the manifest, whole or not at all, and only in what the file says at that moment.

use std::time::Duration;

use fargate_config::ManagedImage;
use fargate_image_manifest::{
    ImageDigest, ManifestError, ManifestFile, RecordedImage, RecordedVersion,
};
use fargate_model::backoff::jittered;
use fargate_registry::ImageReference;
use tokio::time::sleep;

use crate::failure::ImageFailure;
use crate::oci_layout::OciLayout;
use crate::promote::channel_commands::recorded;

/// How often it is tried while others write the same file.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(100);

/// Adds a version to the manifest. A writer that was faster is no failure: the version is added to what that
/// one wrote.
pub(super) async fn list_version(
    image: &ManagedImage,
    version: &RecordedVersion,
) -> Result<(), ImageFailure> {
    for _ in 1..TRIES {
        match listed_once(image, version)? {
            Ok(()) => return Ok(()),
            Err(ManifestError::Changed { .. }) => sleep(jittered(PAUSE)).await,
            Err(error) => return Err(error.into()),
        }
    }
    listed_once(image, version)?.map_err(ImageFailure::from)
}

/// One try. The inner result is that of the file.
fn listed_once(
    image: &ManagedImage,
    version: &RecordedVersion,
) -> Result<Result<(), ManifestError>, ImageFailure> {
    let mut file = ManifestFile::read_or_empty(&image.manifest)?;
    if let Some(entry) = entry_of(&file, image)? {
        require_not_revoked(entry, version)?;
    }
    let entry = file.manifest.images.entry(image.name.clone());
    entry.or_insert_with(|| empty_entry(image)).record(version.clone());
    Ok(file.save())
}

/// What the manifest says of the image; `None` if it does not list it.
pub(super) fn entry_of<'a>(
    file: &'a ManifestFile,
    image: &ManagedImage,
) -> Result<Option<&'a RecordedImage>, ImageFailure> {
    match file.manifest.images.contains_key(&image.name) {
        true => recorded(file, image).map(Some),
        false => Ok(None),
    }
}

/// A version that nobody may use any more is not published again.
pub(super) fn require_not_revoked(
    entry: &RecordedImage,
    version: &RecordedVersion,
) -> Result<(), ImageFailure> {
    let Some(known) = entry.version(&version.digest).filter(|known| known.is_revoked()) else {
        return Ok(());
    };
    let why = known.revoked_reason.as_deref().unwrap_or("no reason is recorded");
    Err(ImageFailure::Conflict {
        what: format!(
            "publishing {}: it is byte for byte {}, which is revoked ({why})",
            version.digest, known.tag
        ),
        hint: "change what it was revoked for, and publish that".to_owned(),
    })
}

fn empty_entry(image: &ManagedImage) -> RecordedImage {
    let own = image.repository.parse::<ImageReference>().ok();
    let host = own.as_ref().and_then(ImageReference::ecr_host);
    let region = host.map(|host| host.region.to_owned());
    RecordedImage { region, ..RecordedImage::empty(&image.repository) }
}

/// The digest of a layout.
pub(super) fn digest_of(layout: &OciLayout) -> Result<ImageDigest, ImageFailure> {
    let digest = layout.manifest_digest().parse::<ImageDigest>();
    digest.map_err(|error| ImageFailure::NotVerified {
        what: format!("reading the image's digest: {error}"),
        hint: "export the image again".to_owned(),
    })
}

/// How the layers are compressed; none for an image without layers.
pub(super) fn compression(layout: &OciLayout) -> Option<&'static str> {
    let kind = layout.manifest().layers.first()?.media_type.as_str();
    Some(match kind {
        _ if kind.ends_with("zstd") => "zstd",
        _ if kind.ends_with("gzip") => "gzip",
        _ => "uncompressed",
    })
}
