//! An image in an OCI layout goes to a registry: each blob once, several at a time, then the manifest by its
//! digest, then the tag.
//!
//! A blob that the registry has is not sent, and one that a sibling repository has is mounted. Each try of a
//! blob has an upload of its own, so what a killed process leaves is an upload that nobody can see and that
//! the registry removes. Nothing here chooses a tag, and a tag that names another digest is never moved.
//!
//! Source: OCI distribution specification 1.1, "Push".

mod blob_upload;
mod open_uploads;
mod pull_back;
mod pull_layout;
mod push_failure;
mod push_halt;

use std::collections::{BTreeSet, VecDeque};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use fargate_aws::{AwsAccount, EcrRepository, EcrTagMutability};
use fargate_config::{JobProfile, ManagedImage};
use fargate_fail_point::FailPoint;
use fargate_mask::SharedMasker;
use fargate_model::text::{bytes, escape};
use fargate_registry::{ImageReference, RepositoryAccess, RepositoryRights, RepositorySession};
use serde::Serialize;

pub use pull_back::VerifiedImage;

use crate::content_digest::{digest_of, is_digest};
use crate::event::ImageStep;
use crate::failure::ImageFailure;
use crate::image_run::ImageRun;
use crate::oci_layout::{BlobDescriptor, OciLayout};
use crate::repository_login::{ecr_repository, login, registry_account};
use crate::transfer_retry::try_often;
use blob_upload::{BlobOutcome, BlobUpload};
use open_uploads::OpenUploads;
use push_failure::{of_repository, of_transfer};
use push_halt::PushHalt;

/// How long a transfer may stand still. A registry that stores a large layer answers after that.
const STALL: Duration = Duration::from_secs(120);
/// How long a push that is stopped may take to learn which uploads it has begun.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// The repository of an image, reached with the image's login.
#[derive(Debug)]
pub struct PushTarget {
    session: RepositorySession,
    uploads: OpenUploads,
    account: AwsAccount,
    allow_public: bool,
    ecr: Option<EcrRepository>,
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

/// What an image in the registry cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StoredLayers {
    /// How many layers it has.
    pub layers: usize,
    /// Bytes of blobs that were sent.
    pub sent_bytes: u64,
    /// Bytes of blobs that the registry had, or mounted.
    pub reused_bytes: u64,
}

impl StoredLayers {
    fn summary(&self) -> String {
        let Self { layers, sent_bytes, reused_bytes } = *self;
        format!("{layers} layers, {} sent, {} were there", bytes(sent_bytes), bytes(reused_bytes))
    }
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
        let account = registry_account(profile, masker).await?;
        let credentials = login(image, &reference, profile, &account).await?;
        let others = [&image.repository].into_iter().chain(&image.replicas);
        let others = others.filter_map(|other| other.parse::<ImageReference>().ok());
        let mount_from = others
            .filter(|other| other.registry() == reference.registry())
            .map(|other| other.repository().to_owned())
            .filter(|other| other != reference.repository())
            .collect();
        let ecr = ecr_repository(&reference, &account);
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
        let uploads = OpenUploads::default();
        Ok(Self { session, uploads, account, allow_public: image.allow_public, ecr })
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

    /// What is wrong with how ECR treats the tags of the repository; `None` if nothing is, and outside ECR. A
    /// replica has the tags of channels alone, which are there to be moved.
    pub async fn tag_warning(&self, is_replica: bool) -> Option<String> {
        let name = self.session.access().image.repository();
        let advice = "let ECR forbid to move tags, except `latest` and `stable`: \
                      IMMUTABLE_WITH_EXCLUSION of PutImageTagMutability";
        match self.ecr.as_ref()?.tag_mutability().await {
            Ok(None | Some(EcrTagMutability::Filtered)) => None,
            Ok(Some(EcrTagMutability::Mutable)) if is_replica => None,
            Ok(Some(EcrTagMutability::Mutable)) => Some(format!(
                "everybody who may push to {name} can move the tags of candidates; {advice}"
            )),
            Ok(Some(EcrTagMutability::Immutable)) => Some(format!(
                "no tag of {name} can be moved, so `image reconcile` cannot move those of channels; \
                 {advice}"
            )),
            Err(error) => Some(format!(
                "whether tags of {name} can be moved is not known: {}",
                escape(&error.to_string())
            )),
        }
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

    /// Pushes the image under its digest and `tag`.
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
            let stored = self.stored(layout, run).await?;
            self.give_tag(layout, tag).await?;
            let digest = layout.manifest_digest().to_owned();
            let image = self.session.access().image.with_digest(&digest);
            let tag = tag.to_owned();
            let StoredLayers { layers, sent_bytes, reused_bytes } = stored;
            let pushed = PushedImage { image, digest, tag, layers, sent_bytes, reused_bytes };
            Ok((pushed, stored.summary()))
        };
        run.whole_step(ImageStep::Push, self.ending_uploads(run, work)).await
    }

    /// Pushes the image under its digest alone, as the step "push". Nobody sees it before it gets a tag.
    ///
    /// # Errors
    ///
    /// As [`Self::push`].
    pub(crate) async fn store(
        &self,
        layout: &OciLayout,
        run: &ImageRun,
    ) -> Result<StoredLayers, ImageFailure> {
        let work = async {
            let stored = self.stored(layout, run).await?;
            Ok((stored, stored.summary()))
        };
        run.whole_step(ImageStep::Push, self.ending_uploads(run, work)).await
    }

    async fn stored(
        &self,
        layout: &OciLayout,
        run: &ImageRun,
    ) -> Result<StoredLayers, ImageFailure> {
        self.require_private().await?;
        let (sent_bytes, reused_bytes) = self.push_blobs(layout, run).await?;
        self.put_manifest(layout, layout.manifest_digest()).await?;
        FailPoint::ImageStored.reached();
        // A registry may have made a new repository, and for everybody.
        self.require_private().await?;
        let layers = layout.manifest().layers.len();
        Ok(StoredLayers { layers, sent_bytes, reused_bytes })
    }

    /// Gives an image that is in the registry its tag.
    ///
    /// # Errors
    ///
    /// As [`Self::push`].
    pub(crate) async fn give_tag(&self, layout: &OciLayout, tag: &str) -> Result<(), ImageFailure> {
        if !self.require_free(tag, layout.manifest_digest()).await? {
            self.put_manifest(layout, tag).await?;
        }
        FailPoint::ImageTagged.reached();
        Ok(())
    }

    /// Does `work`, which stops when the run is asked to. Uploads that are open after that are ended.
    async fn ending_uploads<T>(
        &self,
        run: &ImageRun,
        work: impl Future<Output = Result<T, ImageFailure>>,
    ) -> Result<T, ImageFailure> {
        let done = run.unless_cancelled_within(ImageStep::Push, STOP_GRACE, work).await;
        // A try that failed may have left one, too.
        self.uploads.end_all(&self.session).await;
        done
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

    /// Reads an image into `folder`, as a layout of which every byte was checked.
    ///
    /// # Errors
    ///
    /// [`ImageFailure::NotVerified`] if anything differs, [`ImageFailure::Unusable`] if it is no single image or
    /// if the disk refuses, and what the registry refuses.
    pub(crate) async fn pull(
        &self,
        digest: &str,
        folder: &Path,
        run: &ImageRun,
    ) -> Result<OciLayout, ImageFailure> {
        pull_layout::pull(&self.session, digest, folder, run).await
    }

    /// The same for an image that was read back after an earlier push: its parts are only asked for. `false` if
    /// something is missing.
    ///
    /// # Errors
    ///
    /// [`ImageFailure::PushFailed`] or [`ImageFailure::RegistryDenied`].
    pub(crate) async fn is_still_there(&self, digest: &str) -> Result<bool, ImageFailure> {
        pull_back::is_still_there(&self.session, digest).await
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

    /// Every tag of the repository.
    pub(crate) async fn tags(&self) -> Result<BTreeSet<String>, ImageFailure> {
        try_often(|| self.session.tags()).await.map_err(|failure| of_transfer(&failure))
    }

    /// The digest of a tag or digest; `None` if the repository does not have it.
    pub(crate) async fn tagged(&self, tag: &str) -> Result<Option<String>, ImageFailure> {
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
        let halt = PushHalt::new(run.clone());
        let all_of_one = || async {
            let (mut sent, mut reused) = (0, 0);
            loop {
                let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                let Some(blob) = next else { return Ok::<_, ImageFailure>((sent, reused)) };
                let path = layout.blob_path(blob);
                let (session, uploads) = (&self.session, &self.uploads);
                let upload = BlobUpload { session, uploads, blob, path: &path, halt: &halt, run };
                let done = try_often(|| upload.once()).await;
                match done.map_err(|failure| of_transfer(&failure))? {
                    BlobOutcome::Sent => sent += blob.size,
                    BlobOutcome::There | BlobOutcome::Mounted => reused += blob.size,
                    BlobOutcome::Halted => return Ok((sent, reused)),
                }
            }
        };
        // None is dropped in the middle: nobody would know of an upload that it has just begun.
        let one_after_another = || async {
            let done = all_of_one().await;
            if done.is_err() {
                halt.halt();
            }
            done
        };
        // Four at a time, as other clients do; registries limit more.
        let [a, b, c, d] = [(); 4].map(|()| one_after_another());
        let (a, b, c, d) = tokio::join!(a, b, c, d);
        let (a, b, c, d) = (a?, b?, c?, d?);
        run.require_wanted(ImageStep::Push)?;
        Ok((a.0 + b.0 + c.0 + d.0, a.1 + b.1 + c.1 + d.1))
    }
}
