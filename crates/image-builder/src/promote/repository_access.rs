//! The repositories of one image, as this host reaches them: the first one and its replicas.
//!
//! It asks for manifests and writes them. A passing failure is tried again a few times.

use std::collections::BTreeSet;
use std::time::Duration;

use fargate_aws::AwsAccount;
use fargate_config::{JobProfile, ManagedImage, RunnerConfig};
use fargate_image_manifest::ImageDigest;
use fargate_mask::SharedMasker;
use fargate_model::backoff::{RetryBackoff, jittered};
use fargate_registry::{
    ImageReference, RegistryCredentials, RegistrySecret, RepositoryAccess, RepositoryError,
    RepositoryRights, RepositorySession, StoredManifest,
};
use sha2::{Digest, Sha256};
use tokio::time::sleep;

use super::manifest_failure::of_registry;
use crate::failure::ImageFailure;

/// How often one question is asked at most, and the pauses between.
const TRIES: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How long a transfer may stand still.
const STALL: Duration = Duration::from_secs(60);

/// How this host reaches the repositories of one image.
pub(crate) struct ImageRepositories {
    account: AwsAccount,
    credentials: Option<RegistryCredentials>,
    /// Host and port of the registry that the login is for.
    login_registry: String,
    insecure: Vec<String>,
}

/// One repository of an image.
pub(crate) struct ImageRepository {
    /// Registry and repository.
    pub name: String,
    /// The AWS Region, if it is one of ECR.
    pub region: Option<String>,
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
    /// Reads the login, if there is one. No registry is asked.
    pub async fn open(
        config: &RunnerConfig,
        image: &ManagedImage,
        masker: &SharedMasker,
    ) -> Result<Self, ImageFailure> {
        let profile = profile_of(config, image)?;
        let account = AwsAccount::open(profile.region.clone(), &profile, masker).await;
        let account = account.map_err(|why| ImageFailure::Unusable {
            what: format!("opening the AWS account: {}", why.headline()),
            hint: "correct the AWS settings of the profile".to_owned(),
        })?;
        let credentials = match &image.registry_secret {
            None => None,
            Some(name) => {
                let secret = RegistrySecret::open(name, &profile, masker).await;
                let secret = secret.map_err(|error| secret_failure(name, &error))?;
                Some(secret.read().await.map_err(|error| secret_failure(name, &error))?)
            }
        };
        let own = image.repository.parse::<ImageReference>();
        let login_registry = own.map(|own| own.registry().to_owned()).unwrap_or_default();
        let insecure = image.insecure_registries.clone();
        Ok(Self { account, credentials, login_registry, insecure })
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
        let region = image.is_of_ecr().then(|| region_of(image.registry())).flatten();
        let credentials = match &region {
            Some(region) => Some(self.ecr_login(region).await?),
            // A login is for its own registry. Replicas on other hosts never get it.
            None if image.registry() == self.login_registry => self.credentials.clone(),
            None => None,
        };
        let access = RepositoryAccess {
            image,
            credentials,
            rights,
            mount_from: Vec::new(),
            insecure: self.insecure.clone(),
            stall: STALL,
        };
        let opened = retried(|| RepositorySession::open(access.clone(), &self.account)).await;
        let session = opened.map_err(|error| of_registry(&error))?;
        Ok(ImageRepository { name: name.to_owned(), region, session })
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
            insecure: self.insecure.clone(),
            stall: STALL,
        };
        let opened = RepositorySession::open(access, &self.account).await;
        let session = opened.map_err(|error| of_registry(&error))?;
        Ok(ImageRepository { name, region: None, session })
    }

    async fn ecr_login(&self, region: &str) -> Result<RegistryCredentials, ImageFailure> {
        let denied = |what: String| ImageFailure::RegistryDenied {
            what: format!("asking ECR in {region} for a login: {what}"),
            hint: "allow ecr:GetAuthorizationToken for this host".to_owned(),
        };
        let login = self.account.ecr_login(region).await;
        let login = login.map_err(|error| denied(error.to_string()))?;
        RegistryCredentials::new(&login.user, &login.password)
            .map_err(|error| denied(error.to_string()))
    }
}

impl ImageRepository {
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

    /// Deletes a manifest and its tags. One that is gone is a success.
    pub(crate) async fn delete(&self, digest: &ImageDigest) -> Result<(), RepositoryError> {
        retried(|| self.session.delete_manifest(digest.as_str())).await.map(drop)
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

fn secret_failure(name: &str, error: &fargate_registry::RegistrySecretError) -> ImageFailure {
    let name = fargate_model::text::escape_within(name, 200);
    ImageFailure::RegistryDenied {
        what: format!("reading the registry's login from the secret {name}: {error}"),
        hint: "correct `registry_secret` of the image, or the rights of this host".to_owned(),
    }
}

/// The Region in the name of a registry of ECR.
fn region_of(registry: &str) -> Option<String> {
    let mut parts = registry.split('.').skip_while(|part| !part.contains("ecr"));
    parts.nth(1).map(str::to_owned)
}

/// Asks again after a passing failure.
pub(crate) async fn retried<T, F>(ask: impl Fn() -> F) -> Result<T, RepositoryError>
where
    F: Future<Output = Result<T, RepositoryError>>,
{
    let mut backoff = RetryBackoff::doubling(FIRST_PAUSE, LONGEST_PAUSE);
    for _ in 1..TRIES {
        match ask().await {
            Err(error) if error.is_passing() => {
                let pause = jittered(backoff.next_pause());
                sleep(error.retry_after().unwrap_or_default().max(pause)).await;
            }
            done => return done,
        }
    }
    ask().await
}

pub(crate) fn digest_of(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_of_a_registry_stands_in_its_name() {
        for (registry, region) in [
            ("123456789012.dkr.ecr.eu-west-1.amazonaws.com", Some("eu-west-1")),
            ("123456789012.dkr.ecr-fips.us-east-1.amazonaws.com", Some("us-east-1")),
            ("123456789012.dkr-ecr.eu-west-2.on.aws", Some("eu-west-2")),
            ("registry.example", None),
        ] {
            assert_eq!(region_of(registry).as_deref(), region, "{registry}");
        }
    }
}
