//! Brings artifacts and signatures to the repository of the image, and reads signatures back.
//!
//! Each request is tried a few times. What is there already is not sent again, so that the work can be
//! repeated. Where the registry has no referrers API, the list under the fallback tag is read, extended and
//! written; it is read again after that, because another writer may have replaced it.

use std::future::Future;

use bytes::Bytes;
use fargate_aws::StreamedBody;
use fargate_image_manifest::ImageDigest;
use fargate_registry::{RepositoryError, RepositorySession};
use tokio::sync::mpsc;

use super::image_signature::{ImageSignature, SignatureList, is_signed, signature_tag};
use super::oci_artifact::{
    ArtifactDescriptor, INDEX_TYPE, MANIFEST_TYPE, OciArtifact, ReferrersIndex, referrers_tag,
};
use super::signing_key::{ImagePublicKey, ImageSigningKey};
use crate::failure::ImageFailure;
use crate::transfer_retry;

/// How often the fallback list is written, if others write it at the same time.
const LIST_TRIES: usize = 4;
/// Largest payload of a signature that is read. Ours; one has about 300 bytes.
const LARGEST_PAYLOAD: u64 = 64 * 1024;

/// How what is about an image is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReferrerPlace {
    /// By the registry's referrers API.
    ReferrersApi,
    /// By the list under the fallback tag.
    FallbackTag,
}

/// Uploads an artifact about the image `subject`.
///
/// # Errors
///
/// [`ImageFailure::RegistryDenied`] and [`ImageFailure::PushFailed`].
pub async fn upload_artifact(
    session: &RepositorySession,
    subject: &ArtifactDescriptor,
    artifact: &OciArtifact,
) -> Result<ReferrerPlace, ImageFailure> {
    upload_blobs(session, &artifact.blobs).await?;
    let digest = artifact.descriptor.digest.as_str();
    put(session, digest, MANIFEST_TYPE, &artifact.manifest).await?;
    let known = retried(|| session.referrers(subject.digest.as_str())).await?;
    if known.is_some() {
        return Ok(ReferrerPlace::ReferrersApi);
    }
    list_under_tag(session, &subject.digest, artifact).await?;
    Ok(ReferrerPlace::FallbackTag)
}

async fn list_under_tag(
    session: &RepositorySession,
    subject: &ImageDigest,
    artifact: &OciArtifact,
) -> Result<(), ImageFailure> {
    let tag = referrers_tag(subject);
    for _ in 0..LIST_TRIES {
        let mut index = match retried(|| session.manifest(&tag)).await? {
            Some(stored) => ReferrersIndex::parse(&stored.bytes)
                .map_err(|what| not_taken(session, &format!("reading the tag {tag}: {what}")))?,
            None => ReferrersIndex::empty(),
        };
        if !index.add(artifact) {
            return Ok(());
        }
        put(session, &tag, INDEX_TYPE, &index.to_bytes()).await?;
    }
    // Read once more: the last write may have been the one that counted.
    let stored = retried(|| session.manifest(&tag)).await?;
    let listed = stored.and_then(|stored| ReferrersIndex::parse(&stored.bytes).ok());
    match listed.is_some_and(|index| index.lists(&artifact.descriptor.digest)) {
        true => Ok(()),
        false => Err(ImageFailure::Conflict {
            what: format!(
                "listing what is about the image under the tag {tag}: others wrote it each time"
            ),
            hint: "wait until no other pipeline works on this image, and try again".to_owned(),
        }),
    }
}

/// Signs an image of this repository, unless the key has signed it already. Gives the digest of the manifest
/// that holds the signatures.
///
/// # Errors
///
/// [`ImageFailure`] of the key, of the registry, or if what stands under the tag of the signatures is none.
pub async fn sign_image(
    session: &RepositorySession,
    repository: &str,
    digest: &ImageDigest,
    key: &ImageSigningKey<'_>,
) -> Result<ImageDigest, ImageFailure> {
    let tag = signature_tag(digest);
    let (list, manifest) = signatures(session, &tag).await?;
    let signed = fetched(session, &list).await?;
    if let (Some(manifest), true) = (manifest, is_signed(&signed, digest, &key.public_key())) {
        return Ok(manifest);
    }
    let signature = ImageSignature::sign(repository, digest, key).await?;
    let upload = list.with(&signature);
    upload_blobs(session, &upload.blobs).await?;
    put(session, &tag, MANIFEST_TYPE, &upload.manifest).await?;
    Ok(upload.descriptor.digest)
}

/// Checks that the key has signed this image.
///
/// # Errors
///
/// [`ImageFailure::NotVerified`] if it has not, and those of the registry.
pub async fn verify_signature(
    session: &RepositorySession,
    digest: &ImageDigest,
    key: &ImagePublicKey,
) -> Result<(), ImageFailure> {
    let tag = signature_tag(digest);
    let (list, _) = signatures(session, &tag).await?;
    let signed = fetched(session, &list).await?;
    if is_signed(&signed, digest, key) {
        return Ok(());
    }
    let found = match signed.len() {
        0 => "it has no signature".to_owned(),
        1 => "its one signature is not of this key and image".to_owned(),
        n => format!("none of its {n} signatures is of this key and image"),
    };
    Err(ImageFailure::NotVerified {
        what: format!(
            "verifying the signature of {digest} by the key {}: {found} (tag {tag})",
            key.fingerprint()
        ),
        hint: "promote the image with the right `signing_key`, or do not use it".to_owned(),
    })
}

/// The list of signatures, and the digest of its manifest.
async fn signatures(
    session: &RepositorySession,
    tag: &str,
) -> Result<(SignatureList, Option<ImageDigest>), ImageFailure> {
    let Some(stored) = retried(|| session.manifest(tag)).await? else {
        return Ok((SignatureList::default(), None));
    };
    let list = SignatureList::parse(&stored.bytes)
        .map_err(|what| not_taken(session, &format!("reading the tag {tag}: {what}")))?;
    Ok((list, Some(super::oci_artifact::sha256_of(&stored.bytes))))
}

async fn fetched(
    session: &RepositorySession,
    list: &SignatureList,
) -> Result<Vec<(ArtifactDescriptor, Vec<u8>, Vec<u8>)>, ImageFailure> {
    let mut signed = Vec::new();
    for (descriptor, signature) in list.signed().filter(|(of, _)| of.size <= LARGEST_PAYLOAD) {
        let payload = retried(|| read_blob(session, descriptor)).await?;
        signed.push((descriptor.clone(), payload, signature));
    }
    Ok(signed)
}

async fn read_blob(
    session: &RepositorySession,
    of: &ArtifactDescriptor,
) -> Result<Vec<u8>, RepositoryError> {
    let mut answer = session.blob(of.digest.as_str()).await?;
    let longest = usize::try_from(of.size).unwrap_or(usize::MAX);
    answer.whole(longest).await.map_err(|error| RepositoryError::NotReached {
        registry: session.access().image.registry().to_owned(),
        doing: format!("reading the blob {}", of.digest),
        error: Box::new(error),
    })
}

async fn upload_blobs(
    session: &RepositorySession,
    blobs: &[(ArtifactDescriptor, Vec<u8>)],
) -> Result<(), ImageFailure> {
    for (of, bytes) in blobs {
        retried(async || {
            let digest = of.digest.as_str();
            if session.has_blob(digest).await? {
                return Ok(());
            }
            let place = session.begin_upload().await?;
            session.finish_upload(place, digest, of.size, body_of(bytes)).await
        })
        .await?;
    }
    Ok(())
}

/// A small body as one part.
fn body_of(bytes: &[u8]) -> StreamedBody {
    let (sender, parts) = mpsc::channel(1);
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    // The channel is new and has room for one.
    let _ = sender.try_send(Ok(Bytes::copy_from_slice(bytes)));
    StreamedBody::new(parts, length)
}

async fn put(
    session: &RepositorySession,
    version: &str,
    media_type: &str,
    bytes: &[u8],
) -> Result<(), ImageFailure> {
    retried(|| session.put_manifest(version, media_type, bytes)).await
}

/// Sends a request until it succeeds, a few times.
async fn retried<T, F: Future<Output = Result<T, RepositoryError>>>(
    request: impl FnMut() -> F,
) -> Result<T, ImageFailure> {
    transfer_retry::retried(request).await.map_err(|error| failure_of(&error))
}

fn failure_of(error: &RepositoryError) -> ImageFailure {
    let what = error.to_string();
    match error.is_of_login() {
        true => ImageFailure::RegistryDenied {
            what,
            hint: "check the login of `registry_secret` and its right to push".to_owned(),
        },
        false => ImageFailure::PushFailed {
            what,
            hint: "look at the registry, and run the command again: it sends only what is missing"
                .to_owned(),
        },
    }
}

fn not_taken(session: &RepositorySession, what: &str) -> ImageFailure {
    ImageFailure::PushFailed {
        what: format!("{what} (registry {})", session.access().image.registry()),
        hint: "look at what stands under that tag, and delete the tag if it is no work of yours"
            .to_owned(),
    }
}
