//! The repositories of one image, as this host reaches them: the first one and its replicas.
//!
//! It asks for manifests and writes them. A passing failure is tried again a few times.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fargate_aws::{AwsAccount, CallError, EcrRepository, retry};
use fargate_config::{JobProfile, ManagedImage, RunnerConfig};
use fargate_image_manifest::ImageDigest;
use fargate_mask::SharedMasker;
use fargate_registry::{
    ImageReference, RegistryCredentials, RepositoryAccess, RepositoryError, RepositoryRights,
    RepositorySession, StoredManifest,
};
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::failure::ImageFailure;
use crate::registry_failure::of_registry;
use crate::repository_login::{ecr_repository, login, registry_account};
use crate::transfer_retry::retried;

/// How many times longer than one call a list of ECR's images may take.
const CALLS: u32 = 10;
/// How long a transfer may stand still.
const STALL: Duration = Duration::from_secs(60);

/// How this host reaches the repositories of one image. Each registry is asked with its own login, which is
/// looked for once.
pub(crate) struct ImageRepositories {
    account: AwsAccount,
    image: ManagedImage,
    profile: JobProfile,
    logins: Mutex<BTreeMap<String, Option<RegistryCredentials>>>,
}

/// One repository of an image.
pub(crate) struct ImageRepository {
    /// Registry and repository.
    pub name: String,
    /// The AWS Region, if it is one of ECR.
    pub region: Option<String>,
    /// ECR's own API of it, if it is one of ECR.
    pub ecr: Option<EcrRepository>,
    /// How long one call to AWS may take.
    aws_call: Duration,
    pub session: RepositorySession,
}

/// The settings with which AWS is reached for an image: those of its profile, else of the first profile that
/// is complete.
pub(crate) fn profile_of(
    config: &RunnerConfig,
    image: &ManagedImage,
) -> Result<JobProfile, ImageFailure> {
    let chosen = match image.profile.as_deref() {
        Some(name) => config.profile(Some(name)),
        None => {
            let others = config.profile_names().into_iter().map(|name| config.profile(Some(name)));
            let whole = config.profile(None);
            whole.or_else(|error| others.flatten().next().ok_or(error))
        }
    };
    chosen.map_err(|error| ImageFailure::Unusable {
        what: format!("choosing the profile of `[image.{}]`: {error}", image.name),
        hint: "name a profile as `profile` of the image".to_owned(),
    })
}

impl ImageRepositories {
    /// Opens the account. No login is read yet, and no registry is asked.
    pub async fn open(
        config: &RunnerConfig,
        image: &ManagedImage,
        masker: &SharedMasker,
    ) -> Result<Self, ImageFailure> {
        let profile = profile_of(config, image)?;
        let account = registry_account(&profile, masker).await?;
        Ok(Self { account, image: image.clone(), profile, logins: Mutex::default() })
    }

    /// How AWS is reached.
    pub fn account(&self) -> &AwsAccount {
        &self.account
    }

    /// Opens one repository.
    pub async fn repository(
        &self,
        name: &str,
        rights: RepositoryRights,
    ) -> Result<ImageRepository, ImageFailure> {
        let image: ImageReference = name.parse().map_err(|error| ImageFailure::Unusable {
            what: format!("reading the repository: {error}"),
            hint: "correct `repository` or `replicas` of the image".to_owned(),
        })?;
        let region = image.ecr_host().map(|host| host.region.to_owned());
        let credentials = self.login(&image).await?;
        let ecr = ecr_repository(&image, &self.account);
        let access = RepositoryAccess {
            image,
            credentials,
            rights,
            mount_from: Vec::new(),
            insecure: self.image.insecure_registries.clone(),
            stall: STALL,
        };
        let opened = retried(|| RepositorySession::open(access.clone(), &self.account)).await;
        let session = opened.map_err(|error| of_registry(&error))?;
        let aws_call = self.profile.timeouts.aws_call;
        Ok(ImageRepository { name: name.to_owned(), region, ecr, aws_call, session })
    }

    /// Opens a repository that belongs to somebody else, such as that of a base. It gets no login.
    pub(crate) async fn foreign_repository(
        &self,
        image: ImageReference,
    ) -> Result<ImageRepository, ImageFailure> {
        let name = format!("{}/{}", image.registry(), image.repository());
        let access = RepositoryAccess {
            image,
            credentials: None,
            rights: RepositoryRights::Pull,
            mount_from: Vec::new(),
            insecure: self.image.insecure_registries.clone(),
            stall: STALL,
        };
        let opened = RepositorySession::open(access, &self.account).await;
        let session = opened.map_err(|error| of_registry(&error))?;
        let aws_call = self.profile.timeouts.aws_call;
        Ok(ImageRepository { name, region: None, ecr: None, aws_call, session })
    }

    async fn login(
        &self,
        repository: &ImageReference,
    ) -> Result<Option<RegistryCredentials>, ImageFailure> {
        if repository.is_of_ecr() {
            // It ends after some hours; the account keeps it as long as it is good.
            return login(&self.image, repository, &self.profile, &self.account).await;
        }
        let mut logins = self.logins.lock().await;
        if let Some(known) = logins.get(repository.registry()) {
            return Ok(known.clone());
        }
        let found = login(&self.image, repository, &self.profile, &self.account).await?;
        logins.insert(repository.registry().to_owned(), found.clone());
        Ok(found)
    }
}

impl ImageRepository {
    /// The manifest that a tag has now; `None` if there is no such tag.
    pub(crate) async fn tagged(&self, tag: &str) -> Result<Option<StoredManifest>, ImageFailure> {
        self.manifest(tag).await
    }

    /// The digest that a tag has now; `None` if there is no such tag.
    pub async fn digest_of_tag(&self, tag: &str) -> Result<Option<String>, ImageFailure> {
        let found = self.manifest(tag).await?;
        Ok(found.map(|manifest| digest_of(&manifest.bytes)))
    }

    /// The manifest with this digest, whose bytes have been checked; `None` if it is not there.
    pub async fn by_digest(
        &self,
        digest: &ImageDigest,
    ) -> Result<Option<StoredManifest>, ImageFailure> {
        let Some(found) = self.manifest(digest.as_str()).await? else { return Ok(None) };
        if digest_of(&found.bytes) == digest.as_str() {
            return Ok(Some(found));
        }
        Err(ImageFailure::NotVerified {
            what: format!("{} gives other bytes than those of {digest}", self.name),
            hint: "do not use this registry before somebody has found out why".to_owned(),
        })
    }

    /// Every tag.
    pub(crate) async fn tags(&self) -> Result<BTreeSet<String>, ImageFailure> {
        retried(|| self.session.tags()).await.map_err(|error| of_registry(&error))
    }

    /// The digest of a tag or digest, without the manifest; `None` if it is not there.
    pub(crate) async fn head(&self, version: &str) -> Result<Option<String>, ImageFailure> {
        let found = retried(|| self.session.manifest_digest(version)).await;
        found.map_err(|error| of_registry(&error))
    }

    /// What the registry's own index says refers to a digest; `None` if it keeps none.
    pub(crate) async fn referrers(&self, digest: &str) -> Result<Option<Vec<u8>>, ImageFailure> {
        let found = retried(|| self.session.referrers(digest)).await;
        found.map_err(|error| of_registry(&error))
    }

    /// Deletes a manifest and its tags. One that is gone is a success. ECR is asked by its own API: its registry
    /// deletes nothing.
    pub(crate) async fn delete(&self, digest: &ImageDigest) -> Result<(), RepositoryError> {
        let Some(ecr) = &self.ecr else {
            return retried(|| self.session.delete_manifest(digest.as_str())).await.map(drop);
        };
        let call = || ecr.delete_image(digest.as_str());
        let deleted = retry(Instant::now() + self.aws_call, call).await;
        deleted.map(drop).map_err(|error| self.not_told("deleting the image", error))
    }

    /// Every tag with its digest as ECR's own API tells it, a thousand images with one question; `None` if this
    /// is no repository of ECR.
    pub(crate) async fn ecr_tags(
        &self,
    ) -> Result<Option<BTreeMap<String, ImageDigest>>, ImageFailure> {
        let Some(ecr) = &self.ecr else { return Ok(None) };
        let images = retry(Instant::now() + self.aws_call * CALLS, || ecr.images()).await;
        let failed = |error| of_registry(&self.not_told("listing the images", error));
        let mut tags = BTreeMap::new();
        for image in images.map_err(failed)? {
            let digest = image.digest.parse::<ImageDigest>();
            let digest = digest.map_err(|error| ImageFailure::NotVerified {
                what: format!("looking at {}: {error}", self.name),
                hint: "this program knows digests of SHA-256 alone".to_owned(),
            })?;
            tags.extend(image.tags.into_iter().map(|tag| (tag, digest.clone())));
        }
        Ok(Some(tags))
    }

    fn not_told(&self, doing: &str, error: CallError) -> RepositoryError {
        let registry = self.session.access().image.registry().to_owned();
        RepositoryError::NotReached { registry, doing: doing.to_owned(), error: Box::new(error) }
    }

    /// Writes the same bytes under a tag or digest.
    pub async fn put(&self, version: &str, manifest: &StoredManifest) -> Result<(), ImageFailure> {
        let (kind, bytes) = (&manifest.media_type, &manifest.bytes);
        let written = retried(|| self.session.put_manifest(version, kind, bytes)).await;
        written.map_err(|error| of_registry(&error))
    }

    async fn manifest(&self, version: &str) -> Result<Option<StoredManifest>, ImageFailure> {
        let found = retried(|| self.session.manifest(version)).await;
        found.map_err(|error| of_registry(&error))
    }
}

pub(crate) fn digest_of(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}
