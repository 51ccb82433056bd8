//! Asks a registry for the digest of an image, and whether a task can run it.
//!
//! It pulls no layers and pushes nothing.
//!
//! Source: OCI distribution specification, "Pulling manifests"; "Token Authentication Specification" of
//! the Distribution project.

use std::time::Duration;

use fargate_aws::{AwsAccount, CallError};
use fargate_config::{JobProfile, TaskArchitecture};
use fargate_model::text::escape_within;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use url::Url;
use zeroize::Zeroizing;

use crate::credentials::RegistryCredentials;
use crate::exchange::{RegistryAnswer, RegistryExchange, RegistryRequest};
use crate::image_reference::{ImageReference, ImageVersion};
use crate::manifest::{ACCEPTED, ImagePlatform, ManifestContent};
use crate::registry_error::RegistryError;
use crate::registry_login::RegistryAuthorization;

/// Longest digest that is shown, in characters: that of SHA-256 has 71.
const LONGEST_DIGEST: usize = 80;
/// Most platforms of an image that are shown.
const MOST_SHOWN: usize = 20;

/// How a registry is asked.
#[derive(Clone, Debug)]
pub struct RegistrySettings {
    /// Registries, with their ports, that may be asked without TLS. This machine always may.
    pub insecure: Vec<String>,
    /// The processor on which the image must run.
    pub architecture: TaskArchitecture,
    /// The longest time of one call to AWS, which a question to a registry may not exceed either.
    pub limit: Duration,
}

impl RegistrySettings {
    /// Those of a profile.
    #[must_use]
    pub fn of(profile: &JobProfile) -> Self {
        Self {
            insecure: profile.insecure_registries.clone(),
            architecture: profile.architecture,
            limit: profile.timeouts.aws_call,
        }
    }
}

/// An image by its digest: the same bytes whenever it is pulled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinnedImage {
    /// The text for the task definition, `NAME@sha256:...`.
    pub text: String,
    /// The digest of the manifest or of the index.
    pub digest: String,
    /// For which processors the image is made.
    pub architectures: Vec<String>,
}

/// Asks the registry of one image.
struct RegistrySession<'a> {
    image: &'a ImageReference,
    credentials: Option<&'a RegistryCredentials>,
    exchange: RegistryExchange<'a>,
    base: Url,
    authorization: Option<Zeroizing<String>>,
    account: &'a AwsAccount,
}

/// Finds the digest of an image, and checks that the image can run.
///
/// # Errors
///
/// [`RegistryError`].
pub async fn pin_image(
    image: &ImageReference,
    credentials: Option<&RegistryCredentials>,
    settings: &RegistrySettings,
    account: &AwsAccount,
) -> Result<PinnedImage, RegistryError> {
    let exchange = RegistryExchange::begin(account, settings.limit);
    let base = exchange.base_url(image.host(), &settings.insecure).await;
    let base = base.map_err(|error| not_reached(image, error))?;
    let authorization = None;
    let mut session =
        RegistrySession { image, credentials, exchange, base, authorization, account };
    let manifest = session.manifest().await?;
    let digest = digest_of(&manifest.body);
    session.check_digest(&digest, &manifest)?;
    let offered = match ManifestContent::parse(&manifest.body) {
        Ok(ManifestContent::Index(platforms)) => platforms,
        Ok(ManifestContent::Image { config }) => vec![session.platform(&config).await?],
        Err(what) => return Err(session.unusable(what)),
    };
    let architectures: Vec<_> = offered.iter().map(ImagePlatform::shown).take(MOST_SHOWN).collect();
    // An index may name no platform at all; then ECS finds out.
    if !offered.is_empty() && !offered.iter().any(|platform| platform.fits(settings.architecture)) {
        let wanted = settings.architecture.as_str().to_owned();
        return Err(RegistryError::WrongArchitecture { wanted, offered: architectures });
    }
    Ok(PinnedImage { text: image.with_digest(&digest), digest, architectures })
}

impl RegistrySession<'_> {
    /// The manifest or the index.
    async fn manifest(&mut self) -> Result<RegistryAnswer, RegistryError> {
        let version = match self.image.version() {
            ImageVersion::Tag(tag) => tag,
            ImageVersion::Digest(digest) => digest,
        };
        let path = format!("{}/manifests/{version}", self.image.repository());
        let first = self.get(&path, Some(ACCEPTED)).await?;
        let answer = match first.status {
            401 => {
                self.log_in(&first).await?;
                self.get(&path, Some(ACCEPTED)).await?
            }
            _ => first,
        };
        self.judged(answer, version)
    }

    /// The platform that the configuration of an image names.
    async fn platform(&self, config: &str) -> Result<ImagePlatform, RegistryError> {
        let path = format!("{}/blobs/{config}", self.image.repository());
        let answer = self.get(&path, None).await?;
        let answer = self.judged(answer, config)?;
        if digest_of(&answer.body) != config {
            return Err(self.differs(config));
        }
        ImagePlatform::of_config(&answer.body).map_err(|what| self.unusable(what))
    }

    /// Makes the header by which the registry knows the user, as it asks for it.
    async fn log_in(&mut self, refused: &RegistryAnswer) -> Result<(), RegistryError> {
        let login = RegistryAuthorization {
            registry: self.image.registry(),
            base: &self.base,
            scopes: &[format!("repository:{}:pull", self.image.repository())],
            credentials: self.credentials,
            account: self.account,
        };
        let header = login.header(&self.exchange, &refused.challenges).await?;
        self.authorization = Some(header);
        Ok(())
    }

    async fn get(
        &self,
        path: &str,
        accept: Option<&'static str>,
    ) -> Result<RegistryAnswer, RegistryError> {
        let url = self.base.join(path);
        let url = url.map_err(|error| self.unusable(format!("a wrong URL: {error}")))?;
        let authorization = self.authorization.clone();
        let request = RegistryRequest { url, accept, authorization };
        self.exchange.get(&request).await.map_err(|error| not_reached(self.image, error))
    }

    /// The answer if it has what was asked for, else why not.
    fn judged(&self, answer: RegistryAnswer, asked: &str) -> Result<RegistryAnswer, RegistryError> {
        let (registry, repository) = (self.registry(), self.image.repository().to_owned());
        let is_basic =
            self.authorization.as_ref().is_some_and(|header| header.starts_with("Basic "));
        match (answer.status, self.credentials) {
            (200..300, _) => Ok(answer),
            // With a token the login was accepted before; without one it is judged here.
            (401, Some(credentials)) if is_basic => Err(self.login_refused(credentials)),
            (401 | 403, credentials) => {
                let who = match credentials {
                    Some(credentials) => format!("user `{}`", credentials.username()),
                    None => "those without a login".to_owned(),
                };
                Err(RegistryError::PullRefused { registry, who, repository })
            }
            (404, _) if RegistryWords::of(&answer.body).code == "NAME_UNKNOWN" => {
                Err(RegistryError::NoRepository { registry, repository })
            }
            (404, _) => {
                let version = asked.to_owned();
                Err(RegistryError::NoImage { registry, repository, version })
            }
            (429, _) => Err(self.limited(&answer)),
            (status, _) => Err(self.unusable(format!("HTTP status {status}"))),
        }
    }

    /// Compares the digest of the bytes with those that the reference and the registry name.
    fn check_digest(&self, found: &str, answer: &RegistryAnswer) -> Result<(), RegistryError> {
        let told = answer.digest.as_deref().filter(|told| told.starts_with("sha256:"));
        let asked = match self.image.version() {
            ImageVersion::Digest(digest) => Some(digest.as_str()),
            ImageVersion::Tag(_) => None,
        };
        match [asked, told].into_iter().flatten().find(|named| *named != found) {
            None => Ok(()),
            Some(named) => Err(self.differs(named)),
        }
    }

    fn registry(&self) -> String {
        self.image.registry().to_owned()
    }

    fn login_refused(&self, credentials: &RegistryCredentials) -> RegistryError {
        let user = credentials.username().to_owned();
        RegistryError::LoginRefused { registry: self.registry(), user }
    }

    fn limited(&self, answer: &RegistryAnswer) -> RegistryError {
        let message = RegistryWords::of(&answer.body).message;
        let message = self.account.masker().within(&message, 200);
        RegistryError::Limited { registry: self.registry(), message }
    }

    fn differs(&self, digest: &str) -> RegistryError {
        let digest = escape_within(digest, LONGEST_DIGEST);
        RegistryError::DigestDiffers { registry: self.registry(), digest }
    }

    fn unusable(&self, what: String) -> RegistryError {
        RegistryError::Unusable { registry: self.registry(), what }
    }
}

/// The first error that a registry names.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct RegistryWords {
    /// One of the words of the specification, such as `NAME_UNKNOWN`.
    pub code: String,
    /// Its words, which are not masked or escaped.
    pub message: String,
}

#[derive(Deserialize)]
struct RegistryErrors {
    errors: Vec<RegistryWords>,
}

impl RegistryWords {
    /// Reads the body of a refusal; empty if it names no error.
    pub fn of(body: &[u8]) -> Self {
        let read = serde_json::from_slice::<RegistryErrors>(body).ok();
        read.and_then(|read| read.errors.into_iter().next()).unwrap_or_default()
    }
}

fn not_reached(image: &ImageReference, error: CallError) -> RegistryError {
    RegistryError::NotReached { registry: image.registry().to_owned(), error }
}

fn digest_of(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}
