//! Copies one image from a repository to another: blobs that are missing, then the manifest by its digest.
//!
//! What is there already is not copied again, so a copy that was cut goes on where it ended. No tag is
//! written. Bytes flow through memory in parts, and the receiving registry checks each digest.

use std::io;

use fargate_aws::StreamedBody;
use fargate_image_manifest::ImageDigest;
use fargate_registry::StoredManifest;
use serde::Deserialize;
use tokio::sync::mpsc;

use super::manifest_failure::of_registry;
use super::repository_access::{ImageRepository, digest_of, retried};
use crate::failure::ImageFailure;

/// Parts of a blob that wait between the two registries.
const PARTS: usize = 8;

/// Most manifests in an index, ours.
const MAX_MANIFESTS: usize = 50;

/// What a manifest or an index names.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ManifestParts {
    config: Option<BlobPart>,
    layers: Vec<BlobPart>,
    manifests: Vec<BlobPart>,
}

#[derive(Clone, Deserialize)]
struct BlobPart {
    digest: ImageDigest,
    size: u64,
}

/// Copies the image with this digest. Gives the bytes that were sent.
pub(super) async fn copy(
    from: &ImageRepository,
    to: &ImageRepository,
    manifest: &StoredManifest,
) -> Result<u64, ImageFailure> {
    let parts = parts(manifest)?;
    let mut sent = 0;
    // An index goes last: it may name only manifests that are there.
    for below in parts.manifests.iter().take(MAX_MANIFESTS) {
        let found = from.by_digest(&below.digest).await?;
        let found = found.ok_or_else(|| missing(from, &below.digest))?;
        sent += copy_image(from, to, &found).await?;
    }
    Ok(sent + copy_image(from, to, manifest).await?)
}

async fn copy_image(
    from: &ImageRepository,
    to: &ImageRepository,
    manifest: &StoredManifest,
) -> Result<u64, ImageFailure> {
    let parts = parts(manifest)?;
    let mut sent = 0;
    for blob in parts.config.iter().chain(&parts.layers) {
        let digest = blob.digest.as_str();
        let is_there = retried(|| to.session.has_blob(digest)).await;
        if is_there.map_err(|error| of_registry(&error))? {
            continue;
        }
        let copied = retried(|| copy_blob(from, to, blob)).await;
        copied.map_err(|error| of_registry(&error))?;
        sent += blob.size;
    }
    to.put(&digest_of(&manifest.bytes), manifest).await?;
    Ok(sent)
}

/// Streams one blob. Both ends run together, so that the sender waits for the receiver.
async fn copy_blob(
    from: &ImageRepository,
    to: &ImageRepository,
    blob: &BlobPart,
) -> Result<(), fargate_registry::RepositoryError> {
    let digest = blob.digest.as_str();
    let place = to.session.begin_upload().await?;
    let mut answer = from.session.blob(digest).await?;
    let (sender, parts) = mpsc::channel(PARTS);
    let read = async move {
        loop {
            let part = answer.next().await.map_err(|error| io::Error::other(error.to_string()));
            let Some(part) = part.transpose() else { break };
            let failed = part.is_err();
            if sender.send(part).await.is_err() || failed {
                break;
            }
        }
    };
    let body = StreamedBody::new(parts, blob.size);
    let (sent, ()) = tokio::join!(to.session.finish_upload(place, digest, blob.size, body), read);
    sent
}

fn parts(manifest: &StoredManifest) -> Result<ManifestParts, ImageFailure> {
    serde_json::from_slice(&manifest.bytes).map_err(|error| ImageFailure::NotVerified {
        what: format!(
            "reading the manifest {}: {}",
            digest_of(&manifest.bytes),
            fargate_model::text::escape_within(&error.to_string(), 200)
        ),
        hint: "publish the image again".to_owned(),
    })
}

fn missing(repository: &ImageRepository, digest: &ImageDigest) -> ImageFailure {
    ImageFailure::NotVerified {
        what: format!("{} does not have {digest}, which its index names", repository.name),
        hint: "publish the image again".to_owned(),
    }
}
