//! Reads back what was pushed, from the registry alone: the manifest's bytes, and of each blob the digest,
//! the size, and the digest without compression. No engine is asked, because some engines that build cannot
//! read what they built.

use std::io::{self, Read};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use fargate_registry::{RepositoryError, RepositorySession};
use serde::Serialize;
use tokio::sync::mpsc;

use super::push_failure::of_transfer;
use crate::content_digest::{ContentHasher, digest_of, digest_of_all, short_digest};
use crate::event::{ImageEvent, ImageStep};
use crate::failure::ImageFailure;
use crate::image_run::ImageRun;
use crate::layer::ExportStream;
use crate::oci_layout::{BlobDescriptor, ConfigLayers, OciManifest, decompressed};
use crate::transfer_retry::try_often;

/// Longest configuration of an image.
const LONGEST_CONFIG: u64 = 4 * 1024 * 1024;
/// How many bytes of a layer pass between two events.
const TOLD_EVERY: u64 = 1024 * 1024;

/// What was read back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VerifiedImage {
    /// The digest of the manifest.
    pub digest: String,
    /// How many layers it has.
    pub layers: usize,
    /// Bytes that were read.
    pub bytes: u64,
}

/// Reads an image by its digest and checks all of it.
pub(super) async fn verify(
    session: &RepositorySession,
    digest: &str,
    run: &ImageRun,
) -> Result<VerifiedImage, ImageFailure> {
    let stored =
        try_often(|| session.manifest(digest)).await.map_err(|error| of_transfer(&error))?;
    let stored = stored.ok_or_else(|| wrong(format!("the repository has no image {digest}")))?;
    let found = digest_of(&stored.bytes);
    if found != digest {
        return Err(wrong(format!(
            "the registry gave a manifest with the digest {found} for {digest}"
        )));
    }
    let manifest: OciManifest = serde_json::from_slice(&stored.bytes).map_err(|_| {
        wrong(format!(
            "{digest} is no manifest of one image; an index cannot be verified as a whole"
        ))
    })?;
    let config = config(session, &manifest.config).await?;
    let diff_ids = config.rootfs.diff_ids;
    if diff_ids.len() != manifest.layers.len() {
        let (layers, ids) = (manifest.layers.len(), diff_ids.len());
        return Err(wrong(format!("the manifest has {layers} layers and the configuration {ids}")));
    }
    let waiting = Mutex::new(manifest.layers.iter().zip(&diff_ids));
    let one_after_another = || async {
        loop {
            let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((layer, diff_id)) = next else { return Ok::<(), ImageFailure>(()) };
            self::layer(session, layer, diff_id, run).await?;
        }
    };
    // Two at a time: each has a thread that decompresses and one that hashes.
    tokio::try_join!(one_after_another(), one_after_another())?;
    Ok(VerifiedImage::of(digest, &manifest, stored.bytes.len()))
}

/// Looks whether the registry still has each part of an image that was read back before: the manifest is read
/// again, and each blob is asked for. `false` if something is missing.
pub(super) async fn is_still_there(
    session: &RepositorySession,
    digest: &str,
) -> Result<bool, ImageFailure> {
    let stored = try_often(|| session.manifest(digest)).await;
    let stored = stored.map_err(|error| of_transfer(&error))?;
    let stored = stored.filter(|stored| digest_of(&stored.bytes) == digest);
    let manifest = stored.and_then(|stored| serde_json::from_slice(&stored.bytes).ok());
    let Some(OciManifest { config, layers, .. }) = manifest else { return Ok(false) };
    for blob in [&config].into_iter().chain(&layers) {
        let has = try_often(|| session.has_blob(&blob.digest)).await;
        if !has.map_err(|error| of_transfer(&error))? {
            return Ok(false);
        }
    }
    Ok(true)
}

impl VerifiedImage {
    fn of(digest: &str, manifest: &OciManifest, manifest_bytes: usize) -> Self {
        let blobs = manifest.layers.iter().chain([&manifest.config]);
        let bytes = blobs.map(|blob| blob.size).sum::<u64>() + manifest_bytes as u64;
        Self { digest: digest.to_owned(), layers: manifest.layers.len(), bytes }
    }
}

async fn config(
    session: &RepositorySession,
    blob: &BlobDescriptor,
) -> Result<ConfigLayers, ImageFailure> {
    if !crate::content_digest::is_digest(&blob.digest) || blob.size > LONGEST_CONFIG {
        return Err(wrong("the manifest names no usable configuration".to_owned()));
    }
    let read = || async {
        let mut answer = session.blob(&blob.digest).await?;
        let bytes = answer.whole(usize::try_from(LONGEST_CONFIG).unwrap_or(usize::MAX)).await;
        bytes.map_err(|error| cut(session, &blob.digest, error))
    };
    let bytes = try_often(read).await.map_err(|error| of_transfer(&error))?;
    let found = digest_of(&bytes);
    if found != blob.digest {
        return Err(wrong(format!("the configuration {} came back as {found}", blob.digest)));
    }
    serde_json::from_slice(&bytes)
        .map_err(|_| wrong("the image's configuration is not as documented".to_owned()))
}

/// What the thread that decompresses found: the `diff_id`.
type DiffIdTask = tokio::task::JoinHandle<io::Result<(String, u64)>>;

async fn layer(
    session: &RepositorySession,
    blob: &BlobDescriptor,
    diff_id: &str,
    run: &ImageRun,
) -> Result<(), ImageFailure> {
    if !crate::content_digest::is_digest(&blob.digest) {
        return Err(wrong("the manifest names a layer by no SHA-256 digest".to_owned()));
    }
    let found = try_often(|| one_read(session, blob, run)).await;
    let (digest, size, content) = found.map_err(|error| of_transfer(&error))?;
    if (digest.as_str(), size) != (blob.digest.as_str(), blob.size) {
        return Err(wrong(format!(
            "the layer {} of {} bytes came back as {digest} of {size} bytes",
            blob.digest, blob.size
        )));
    }
    match content {
        Ok((content, _)) if content == diff_id => Ok(()),
        Ok((content, _)) => Err(wrong(format!(
            "the layer {} holds {content}; the configuration says diff_id {diff_id}",
            blob.digest
        ))),
        Err(error) => {
            Err(wrong(format!("the layer {} cannot be decompressed: {error}", blob.digest)))
        }
    }
}

/// Streams a layer once: its digest and size, and the digest of its content or why there is none.
async fn one_read(
    session: &RepositorySession,
    blob: &BlobDescriptor,
    run: &ImageRun,
) -> Result<(String, u64, io::Result<(String, u64)>), RepositoryError> {
    let mut answer = session.blob(&blob.digest).await?;
    let (sender, source) = ExportStream::new();
    let media_type = blob.media_type.clone();
    let content: DiffIdTask =
        tokio::task::spawn_blocking(move || content_digest(&media_type, source));
    let (mut hasher, mut size, mut told) = (ContentHasher::new(), 0, 0);
    let mut sender: Option<mpsc::Sender<io::Result<Bytes>>> = Some(sender);
    while let Some(part) = answer.next().await.map_err(|error| cut(session, &blob.digest, error))? {
        size += part.len() as u64;
        hasher.update(&part);
        if let Some(to) = &sender
            && to.send(Ok(part)).await.is_err()
        {
            // The content is wrong; the digest of the rest is still wanted.
            sender = None;
        }
        if size - told >= TOLD_EVERY || size == blob.size {
            told = size;
            run.events.tell(progress(blob, size));
        }
        if size > blob.size {
            break;
        }
    }
    drop(sender);
    let content = content.await.unwrap_or_else(|_| Err(io::Error::other("the check ended early")));
    Ok((hasher.finish(), size, content))
}

fn progress(blob: &BlobDescriptor, done_bytes: u64) -> ImageEvent {
    ImageEvent::LayerProgress {
        step: ImageStep::Verify,
        id: short_digest(&blob.digest),
        name: "layer".to_owned(),
        done_bytes,
        of_bytes: blob.size,
        note: None,
    }
}

fn content_digest(
    media_type: &str,
    source: impl Read + Send + 'static,
) -> io::Result<(String, u64)> {
    digest_of_all(decompressed(media_type, source)?)
}

fn cut(
    session: &RepositorySession,
    digest: &str,
    error: fargate_aws::CallError,
) -> RepositoryError {
    let registry = session.access().image.registry().to_owned();
    let (doing, error) = (format!("reading the blob {digest}"), Box::new(error));
    RepositoryError::NotReached { registry, doing, error }
}

fn wrong(what: String) -> ImageFailure {
    ImageFailure::NotVerified {
        what: format!("reading the image back from the registry: {what}"),
        hint: "do not use this image; push it again, and look at what stands before the registry"
            .to_owned(),
    }
}
