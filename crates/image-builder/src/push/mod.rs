//! An image in an OCI layout goes to a registry: each blob once, several at a time, then the manifest by its
//! digest, then the tag.
//!
//! A blob that the registry has is not sent, and one that a sibling repository has is mounted. Each try of a
//! blob has an upload of its own, so what a killed process leaves is an upload that nobody can see and that
//! the registry removes. Nothing here chooses a tag, and a tag that names another digest is never moved.
//!
//! Source: OCI distribution specification 1.1, "Push".

mod blob_upload;
mod pull_back;
mod push_failure;
mod push_login;
mod transfer_retry;

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use fargate_aws::AwsAccount;
use fargate_config::{JobProfile, ManagedImage};
use fargate_mask::SharedMasker;
use fargate_model::cause::FailureCause;
use fargate_model::text::{bytes, escape};
use fargate_registry::{ImageReference, RepositoryAccess, RepositoryRights, RepositorySession};
use serde::Serialize;

pub use pull_back::VerifiedImage;

use crate::content_digest::{digest_of, is_digest};
use crate::event::ImageStep;
use crate::failure::ImageFailure;
use crate::image_run::ImageRun;
use crate::oci_layout::{BlobDescriptor, OciLayout};
use blob_upload::BlobOutcome;
use push_failure::{denied, of_repository, of_transfer};
use transfer_retry::try_often;

/// How long a transfer may stand still. A registry that stores a large layer answers after that.
const STALL: Duration = Duration::from_secs(120);
/// The Region of an account that is only used to reach a registry outside AWS; nothing is signed with it.
const NO_REGION: &str = "us-east-1";

/// The repository of an image, reached with the image's login.
#[derive(Debug)]
pub struct PushTarget {
    session: RepositorySession,
    account: AwsAccount,
    allow_public: bool,
}

/// What a push did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PushedImage {
    /// Registry, repository and digest: what jobs name.
    pub image: String,
    /// The digest.
    pub digest: String,
    /// The tag.
    pub tag: String,
    /// How many layers it has.
    pub layers: usize,
    /// Bytes of blobs that were sent.
    pub sent_bytes: u64,
    /// Bytes of blobs that the registry had, or mounted.
    pub reused_bytes: u64,
}

impl PushTarget {
    /// Reads the login of the image's repository. No registry is asked yet, except whether it speaks TLS.
    ///
    /// # Errors
    ///
    /// [`ImageFailure::RegistryDenied`] if there is no usable login, [`ImageFailure::PushFailed`] if the
    /// registry cannot be reached.
    pub async fn open(
        image: &ManagedImage,
        profile: &JobProfile,
        masker: &SharedMasker,
    ) -> Result<Self, ImageFailure> {
        Self::open_repository(image, &image.repository, profile, masker).await
    }

    /// The same for one of the image's other repositories.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub async fn open_repository(
        image: &ManagedImage,
        repository: &str,
        profile: &JobProfile,
        masker: &SharedMasker,
    ) -> Result<Self, ImageFailure> {
        let reference = repository.parse::<ImageReference>().map_err(|error| {
            let (what, hint) = (error.to_string(), "correct `repository` of the image".to_owned());
            ImageFailure::Unusable { what, hint }
        })?;
        let account = account(profile, masker).await?;
        let credentials = push_login::login(image, &reference, profile, &account).await?;
        let others = [&image.repository].into_iter().chain(&image.replicas);
        let others = others.filter_map(|other| other.parse::<ImageReference>().ok());
        let mount_from = others
            .filter(|other| other.registry() == reference.registry())
            .map(|other| other.repository().to_owned())
            .filter(|other| other != reference.repository())
            .collect();
        let access = RepositoryAccess {
            image: reference,
            credentials,
            rights: RepositoryRights::PullAndPush,
            mount_from,
            insecure: image.insecure_registries.clone(),
            stall: STALL,
        };
        let session = RepositorySession::open(access, &account).await;
        let session = session.map_err(|error| of_repository(&error))?;
        Ok(Self { session, account, allow_public: image.allow_public })
    }

    /// The session, for what else goes to the repository.
    #[must_use]
    pub fn session(&self) -> &RepositorySession {
        &self.session
    }

    /// Checks before slow work that the login may push, by an upload that is begun and ended, and that not
    /// everybody may pull.
    ///
    /// # Errors
    ///
    /// [`ImageFailure::RegistryDenied`] or [`ImageFailure::PushFailed`].
    pub async fn preflight(&self) -> Result<(), ImageFailure> {
        let place = try_often(|| self.session.begin_upload()).await;
        let place = place.map_err(|failure| of_transfer(&failure))?;
        // Where this is not possible the registry removes the upload by itself.
        let _ = self.session.cancel_upload(place).await;
        self.require_private().await
    }

    /// Refuses a repository that answers somebody without a login, unless the image allows it.
    async fn require_private(&self) -> Result<(), ImageFailure> {
        if self.allow_public {
            return Ok(());
        }
        let access = self.session.access();
        let anybody = RepositoryAccess {
            credentials: None,
            rights: RepositoryRights::Pull,
            mount_from: Vec::new(),
            ..access.clone()
        };
        let name = format!("{}/{}", access.image.registry(), access.image.repository());
        let session = RepositorySession::open(anybody, &self.account).await;
        let session = session.map_err(|error| of_repository(&error))?;
        match try_often(|| session.manifest("latest")).await {
            // An answer about a tag, whichever it is, is one that only those who may pull get.
            Ok(_) => Err(ImageFailure::RegistryDenied {
                what: format!("everybody can pull from {name} without a login"),
                hint:
                    "make the repository private, or set `allow_public = true` for this image if \
                       everybody may have it"
                        .to_owned(),
            }),
            Err(failure) if failure.last().is_of_login() => Ok(()),
            Err(failure) => Err(of_transfer(&failure)),
        }
    }

    /// Which blobs of the layout the registry has not, as it says itself.
    ///
    /// # Errors
    ///
    /// [`ImageFailure::PushFailed`] or [`ImageFailure::RegistryDenied`].
    pub async fn missing_layers(&self, layout: &OciLayout) -> Result<usize, ImageFailure> {
        let mut missing = 0;
        for layer in &layout.manifest().layers {
            let has = try_often(|| self.session.has_blob(&layer.digest)).await;
            missing += usize::from(!has.map_err(|failure| of_transfer(&failure))?);
        }
        Ok(missing)
    }

    /// Pushes the image under its digest and `tag`, and reads back that both are there.
    ///
    /// # Errors
    ///
    /// [`ImageFailure::Conflict`] if the tag names another digest, [`ImageFailure::RegistryDenied`],
    /// [`ImageFailure::PushFailed`], [`ImageFailure::NotVerified`].
    pub async fn push(
        &self,
        layout: &OciLayout,
        tag: &str,
        run: &ImageRun,
    ) -> Result<PushedImage, ImageFailure> {
        let work = async {
            self.require_free(tag, layout.manifest_digest()).await?;
            self.require_private().await?;
            let (sent_bytes, reused_bytes) = self.push_blobs(layout, run).await?;
            self.put_manifest(layout, layout.manifest_digest()).await?;
            // A registry may have made a new repository, and for everybody.
            self.require_private().await?;
            if !self.require_free(tag, layout.manifest_digest()).await? {
                self.put_manifest(layout, tag).await?;
            }
            let digest = layout.manifest_digest().to_owned();
            let image = self.session.access().image.with_digest(&digest);
            let (tag, layers) = (tag.to_owned(), layout.manifest().layers.len());
            let summary = format!(
                "{layers} layers, {} sent, {} were there",
                bytes(sent_bytes),
                bytes(reused_bytes)
            );
            Ok((PushedImage { image, digest, tag, layers, sent_bytes, reused_bytes }, summary))
        };
        run.step(ImageStep::Push, work).await
    }

    /// Reads an image back by its digest: manifest, configuration, every layer, with and without
    /// compression.
    ///
    /// # Errors
    ///
    /// [`ImageFailure::NotVerified`] if anything differs.
    pub async fn verify(
        &self,
        digest: &str,
        run: &ImageRun,
    ) -> Result<VerifiedImage, ImageFailure> {
        run.step(ImageStep::Verify, async {
            let found = pull_back::verify(&self.session, digest, run).await?;
            let summary = format!("{} layers, {} read back", found.layers, bytes(found.bytes));
            Ok((found, summary))
        })
        .await
    }

    /// The digest that a tag names; a digest names itself.
    ///
    /// # Errors
    ///
    /// [`ImageFailure::NotVerified`] if there is no such tag, and as [`Self::push`].
    pub async fn digest_of(&self, version: &str) -> Result<String, ImageFailure> {
        if is_digest(version) {
            return Ok(version.to_owned());
        }
        self.tagged(version).await?.ok_or_else(|| ImageFailure::NotVerified {
            what: format!(
                "looking for the tag {} of {}: there is none",
                escape(version),
                self.session.access().image.repository()
            ),
            hint: "give a tag or a digest that was pushed".to_owned(),
        })
    }

    async fn tagged(&self, tag: &str) -> Result<Option<String>, ImageFailure> {
        let stored = try_often(|| self.session.manifest(tag)).await;
        let stored = stored.map_err(|failure| of_transfer(&failure))?;
        Ok(stored.map(|stored| digest_of(&stored.bytes)))
    }

    /// Whether the tag names this digest already. It may not name another one.
    async fn require_free(&self, tag: &str, digest: &str) -> Result<bool, ImageFailure> {
        match self.tagged(tag).await? {
            None => Ok(false),
            Some(found) if found == digest => Ok(true),
            Some(found) => Err(ImageFailure::Conflict {
                what: format!(
                    "the tag {tag} of {} names {found} already; this image is {digest}",
                    self.session.access().image.repository()
                ),
                hint: "push under another tag; tags of candidates are never moved".to_owned(),
            }),
        }
    }

    async fn put_manifest(&self, layout: &OciLayout, version: &str) -> Result<(), ImageFailure> {
        let (kind, content) = (layout.manifest_type(), layout.manifest_bytes());
        let put = try_often(|| self.session.put_manifest(version, kind, content)).await;
        put.map_err(|failure| of_transfer(&failure))
    }

    /// Pushes configuration and layers, the largest first. Gives the bytes that were sent and reused.
    async fn push_blobs(
        &self,
        layout: &OciLayout,
        run: &ImageRun,
    ) -> Result<(u64, u64), ImageFailure> {
        let manifest = layout.manifest();
        let mut blobs: Vec<&BlobDescriptor> = manifest.layers.iter().collect();
        blobs.push(&manifest.config);
        blobs.sort_by(|a, b| (b.size, &b.digest).cmp(&(a.size, &a.digest)));
        blobs.dedup_by(|a, b| a.digest == b.digest);
        let waiting = Mutex::new(blobs.into_iter().collect::<VecDeque<_>>());
        let one_after_another = || async {
            let (mut sent, mut reused) = (0, 0);
            loop {
                let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                let Some(blob) = next else { return Ok::<_, ImageFailure>((sent, reused)) };
                let path = layout.blob_path(blob);
                let done = try_often(|| blob_upload::upload(&self.session, blob, &path, run)).await;
                match done.map_err(|failure| of_transfer(&failure))? {
                    BlobOutcome::Sent => sent += blob.size,
                    BlobOutcome::There | BlobOutcome::Mounted => reused += blob.size,
                }
            }
        };
        // Four at a time, as other clients do; registries limit more.
        let [a, b, c, d] = [(); 4].map(|()| one_after_another());
        let (a, b, c, d) = tokio::try_join!(a, b, c, d)?;
        Ok((a.0 + b.0 + c.0 + d.0, a.1 + b.1 + c.1 + d.1))
    }
}

/// What reaches registries from this host. A registry outside AWS needs no Region.
async fn account(profile: &JobProfile, masker: &SharedMasker) -> Result<AwsAccount, ImageFailure> {
    let mut opened = AwsAccount::open(profile.region.clone(), profile, masker).await;
    if opened.as_ref().is_err_and(|why| why.cause == FailureCause::RegionMissing) {
        opened = AwsAccount::open(Some(NO_REGION.to_owned()), profile, masker).await;
    }
    opened.map_err(|why| denied(why.headline()))
}
