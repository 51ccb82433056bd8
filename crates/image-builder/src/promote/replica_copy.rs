//! Copies one image from a repository to another: blobs that are missing, then the manifest by its digest. Then
//! what is said about it: signatures, the list of packages, the provenance.
//!
//! What is there already is not copied again, so a copy that was cut goes on where it ended. The only tags that
//! are written are those under which tools look for signatures and for the list of referrers. Bytes flow
//! through memory in parts, and the receiving registry checks each digest.

use std::io;

use fargate_aws::StreamedBody;
use fargate_image_manifest::ImageDigest;
use fargate_registry::StoredManifest;
use serde::Deserialize;
use tokio::sync::mpsc;

use super::repository_access::{ImageRepository, digest_of};
use crate::attest::{INDEX_TYPE, ReferrersIndex, referrers_tag, signature_tag};
use crate::failure::ImageFailure;
use crate::registry_failure::of_registry;
use crate::transfer_retry::retried;

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

/// Copies what is said about an image. Gives the bytes that were sent.
pub(super) async fn copy_referrers(
    from: &ImageRepository,
    to: &ImageRepository,
    subject: &ImageDigest,
) -> Result<u64, ImageFailure> {
    let mut sent = copy_tagged(from, to, &signature_tag(subject)).await?;
    let by_api = from.referrers(subject.as_str()).await?;
    let by_tag = from.tagged(&referrers_tag(subject)).await?;
    for list in by_api.iter().chain(by_tag.as_ref().map(|stored| &stored.bytes)) {
        let list = referrers(from, list)?;
        for entry in list.entries().iter().take(MAX_MANIFESTS) {
            let digest = &entry.descriptor.digest;
            if to.head(digest.as_str()).await?.is_none() {
                let found = from.by_digest(digest).await?;
                let found = found.ok_or_else(|| missing(from, digest))?;
                sent += copy_image(from, to, &found).await?;
            }
        }
    }
    // A registry with the referrers API lists what it gets by itself.
    if to.referrers(subject.as_str()).await?.is_none() {
        list_under_tag(from, to, subject, by_api, by_tag).await?;
    }
    Ok(sent)
}

/// Adds what the first registry lists to the list that the other one keeps under a tag.
async fn list_under_tag(
    from: &ImageRepository,
    to: &ImageRepository,
    subject: &ImageDigest,
    by_api: Option<Vec<u8>>,
    by_tag: Option<StoredManifest>,
) -> Result<(), ImageFailure> {
    let tag = referrers_tag(subject);
    let former = to.tagged(&tag).await?;
    let mut list = match &former {
        Some(stored) => referrers(to, &stored.bytes)?,
        None => ReferrersIndex::empty(),
    };
    let mut is_longer = false;
    for other in by_api.into_iter().chain(by_tag.map(|stored| stored.bytes)) {
        for entry in referrers(from, &other)?.entries() {
            is_longer |= list.add_entry(entry.clone());
        }
    }
    if !is_longer {
        return Ok(());
    }
    let stored = StoredManifest { bytes: list.to_bytes(), media_type: INDEX_TYPE.to_owned() };
    to.put(&tag, &stored).await
}

fn referrers(at: &ImageRepository, list: &[u8]) -> Result<ReferrersIndex, ImageFailure> {
    ReferrersIndex::parse(list).map_err(|what| ImageFailure::NotVerified {
        what: format!("reading what {} says about the image: {what}", at.name),
        hint: "look at the registry; something else wrote that list".to_owned(),
    })
}

/// Copies what stands under a tag, and the tag.
async fn copy_tagged(
    from: &ImageRepository,
    to: &ImageRepository,
    tag: &str,
) -> Result<u64, ImageFailure> {
    let Some(stored) = from.tagged(tag).await? else { return Ok(0) };
    if to.digest_of_tag(tag).await?.as_deref() == Some(&digest_of(&stored.bytes)) {
        return Ok(0);
    }
    let sent = copy(from, to, &stored).await?;
    to.put(tag, &stored).await?;
    Ok(sent)
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
