//! Brings an image of the registry into a folder in the OCI image layout. Every blob is checked while it arrives;
//! nothing is kept of an image that is not whole.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use fargate_registry::{RepositoryError, RepositorySession};
use tokio::task::JoinHandle;

use super::push_failure::of_transfer;
use crate::blocking_work::blocking;
use crate::content_digest::{ContentHasher, digest_of, is_digest, short_digest};
use crate::event::{ImageEvent, ImageStep};
use crate::failure::ImageFailure;
use crate::image_run::ImageRun;
use crate::layer::ExportStream;
use crate::oci_layout::{
    BlobDescriptor, MAX_LAYERS, OciLayout, OciManifest, blob_path, make_blob_folder,
};
use crate::transfer_retry::try_often;

/// How many bytes of a blob pass between two events.
const TOLD_EVERY: u64 = 1024 * 1024;

/// What came of reading one blob: its digest and size, and whether the disk took it.
type PulledBlob = (String, u64, io::Result<()>);

/// Reads the image with this digest into `folder`, which must be new or empty.
///
/// # Errors
///
/// [`ImageFailure::NotVerified`] if the registry gives something else, [`ImageFailure::Unusable`] if it is no
/// single image or if the disk refuses, and what the registry refuses.
pub(super) async fn pull(
    session: &RepositorySession,
    digest: &str,
    folder: &Path,
    run: &ImageRun,
) -> Result<OciLayout, ImageFailure> {
    let stored =
        try_often(|| session.manifest(digest)).await.map_err(|error| of_transfer(&error))?;
    let stored = stored.ok_or_else(|| wrong(format!("the repository has no image {digest}")))?;
    let found = digest_of(&stored.bytes);
    if found != digest {
        return Err(wrong(format!("the manifest of {digest} came back as {found}")));
    }
    let manifest: OciManifest =
        serde_json::from_slice(&stored.bytes).map_err(|_| unusable(digest))?;
    let blobs: Vec<_> = manifest.layers.iter().chain([&manifest.config]).collect();
    let is_sound = |blob: &&BlobDescriptor| is_digest(&blob.digest);
    if manifest.layers.len() > MAX_LAYERS || !blobs.iter().all(is_sound) {
        return Err(unusable(digest));
    }
    make_blob_folder(folder)?;
    let waiting = Mutex::new(blobs.into_iter());
    let one_after_another = || async {
        loop {
            let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some(blob) = next else { return Ok::<(), ImageFailure>(()) };
            pull_blob(session, blob, &blob_path(folder, &blob.digest), run).await?;
        }
    };
    // Two at a time: each has a thread that writes, and this one hashes.
    tokio::try_join!(one_after_another(), one_after_another())?;
    let folder = folder.to_owned();
    let whole = move || {
        let layout = OciLayout::of_blobs(&folder, &stored.media_type, &stored.bytes)?;
        layout.check().map(|()| layout)
    };
    blocking(whole).await?
}

async fn pull_blob(
    session: &RepositorySession,
    blob: &BlobDescriptor,
    path: &Path,
    run: &ImageRun,
) -> Result<(), ImageFailure> {
    let read = try_often(|| one_read(session, blob, path.to_owned(), run)).await;
    let (digest, size, written) = read.map_err(|error| of_transfer(&error))?;
    written.map_err(|error| ImageFailure::Unusable {
        what: format!("writing {}: {error}", path.display()),
        hint: "set TMPDIR to a folder with room for three times the image".to_owned(),
    })?;
    if (digest.as_str(), size) == (blob.digest.as_str(), blob.size) {
        return Ok(());
    }
    Err(wrong(format!(
        "the blob {} of {} bytes came back as {digest} of {size} bytes",
        blob.digest, blob.size
    )))
}

/// Streams a blob into its file once.
async fn one_read(
    session: &RepositorySession,
    blob: &BlobDescriptor,
    path: PathBuf,
    run: &ImageRun,
) -> Result<PulledBlob, RepositoryError> {
    let mut answer = session.blob(&blob.digest).await?;
    let (sender, mut source) = ExportStream::new();
    let written: JoinHandle<io::Result<()>> = tokio::task::spawn_blocking(move || {
        let mut file = BufWriter::new(File::create(path)?);
        io::copy(&mut source, &mut file)?;
        file.flush()
    });
    let (mut hasher, mut size, mut told) = (ContentHasher::new(), 0, 0);
    loop {
        let part = answer.next().await.map_err(|error| RepositoryError::NotReached {
            registry: session.access().image.registry().to_owned(),
            doing: format!("reading the blob {}", blob.digest),
            error: Box::new(error),
        })?;
        let Some(part) = part else { break };
        size += part.len() as u64;
        hasher.update(&part);
        // A disk that refuses has its own error. A blob that is too long is wrong, whatever comes.
        if sender.send(Ok(part)).await.is_err() || size > blob.size {
            break;
        }
        if size - told >= TOLD_EVERY || size == blob.size {
            told = size;
            run.events.tell(progress(blob, size));
        }
    }
    drop(sender);
    let written = written.await;
    let written = written.unwrap_or_else(|_| Err(io::Error::other("the writing ended early")));
    Ok((hasher.finish(), size, written))
}

fn progress(blob: &BlobDescriptor, done_bytes: u64) -> ImageEvent {
    ImageEvent::LayerProgress {
        step: ImageStep::Pull,
        id: short_digest(&blob.digest),
        name: "layer".to_owned(),
        done_bytes,
        of_bytes: blob.size,
        note: None,
    }
}

fn unusable(digest: &str) -> ImageFailure {
    ImageFailure::Unusable {
        what: format!("pulling the image {digest}: it is no manifest of one image"),
        hint: "give the digest of one image, not that of an index of several".to_owned(),
    }
}

fn wrong(what: String) -> ImageFailure {
    ImageFailure::NotVerified {
        what: format!("pulling the image from the registry: {what}"),
        hint: "do not use this image; look at the registry and at what stands before it".to_owned(),
    }
}
