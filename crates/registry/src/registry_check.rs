//! `registry-secret test`: goes the way that a task goes before its image is pulled, step by step, and says
//! at which step it ends.
//!
//! It reads the secret as this host. Whether the execution role may read it, only a task shows.

use fargate_aws::AwsAccount;
use fargate_config::JobProfile;
use fargate_mask::SharedMasker;

use crate::credentials::RegistryCredentials;
use crate::image_reference::ImageReference;
use crate::registry_client::{PinnedImage, RegistrySettings, pin_image};
use crate::registry_error::RegistryError;
use crate::registry_secret::{RegistrySecret, RegistrySecretError};

/// A step that succeeded.
#[derive(Debug)]
pub enum RegistryCheckStep {
    /// The text names an image.
    Named(ImageReference),
    /// The image needs no secret: the execution role logs in to ECR.
    OfEcr,
    /// The profile names no secret, so nobody logs in.
    WithoutSecret,
    /// The secret is what ECS reads.
    Read {
        /// The secret's name or ARN.
        secret: String,
        /// The user.
        user: String,
    },
    /// The registry has the image, and a task can run it.
    Found(PinnedImage),
}

/// Where the way ended.
#[derive(Debug, thiserror::Error)]
pub enum RegistryCheckError {
    /// The profile has no image.
    #[error("the profile has no `image`, so there is nothing to ask a registry for")]
    NoImage,
    /// This host cannot reach AWS or a registry at all.
    #[error("{0}")]
    Setup(String),
    /// The secret.
    #[error(transparent)]
    Secret(#[from] RegistrySecretError),
    /// The registry or the image.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

impl RegistryCheckError {
    /// What a person can do about it, beside the words of the error.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoImage => Some("`image = \"my-organisation/my-image:latest\"`".to_owned()),
            Self::Setup(_) => None,
            Self::Secret(error) => error.hint(),
            Self::Registry(error) => error.hint(),
        }
    }

    /// One word for the step that failed. Programs read it, so it is never renamed.
    #[must_use]
    pub fn step(&self) -> &'static str {
        match self {
            Self::NoImage | Self::Registry(RegistryError::Reference(_)) => "image",
            Self::Setup(_) => "setup",
            Self::Secret(_) => "secret",
            Self::Registry(
                RegistryError::LoginRefused { .. } | RegistryError::LoginNeeded { .. },
            ) => "login",
            Self::Registry(RegistryError::WrongArchitecture { .. }) => "architecture",
            Self::Registry(_) => "registry",
        }
    }
}

/// Tests the image and the secret of a profile; `secret` replaces the one that the profile names.
///
/// # Errors
///
/// [`RegistryCheckError`]: the step at which it ended.
pub async fn check_registry(
    profile: &JobProfile,
    secret: Option<&str>,
    masker: &SharedMasker,
    told: &mut dyn FnMut(RegistryCheckStep),
) -> Result<(), RegistryCheckError> {
    let text = profile.image.as_deref().ok_or(RegistryCheckError::NoImage)?;
    let image = text.parse::<ImageReference>().map_err(RegistryError::from)?;
    told(RegistryCheckStep::Named(image.clone()));
    if image.is_of_ecr() {
        told(RegistryCheckStep::OfEcr);
        return Ok(());
    }
    let credentials = credentials(profile, secret, masker, told).await?;
    let account = AwsAccount::open(profile.region.clone(), profile, masker).await;
    let account = account.map_err(|why| RegistryCheckError::Setup(why.headline()))?;
    let settings = RegistrySettings::of(profile);
    let pinned = pin_image(&image, credentials.as_ref(), &settings, &account).await?;
    told(RegistryCheckStep::Found(pinned));
    Ok(())
}

async fn credentials(
    profile: &JobProfile,
    secret: Option<&str>,
    masker: &SharedMasker,
    told: &mut dyn FnMut(RegistryCheckStep),
) -> Result<Option<RegistryCredentials>, RegistryCheckError> {
    let Some(name) = secret.or(profile.registry_secret.as_deref()) else {
        told(RegistryCheckStep::WithoutSecret);
        return Ok(None);
    };
    let login = RegistrySecret::open(name, profile, masker).await?.read().await?;
    let (secret, user) = (name.to_owned(), login.username().to_owned());
    told(RegistryCheckStep::Read { secret, user });
    Ok(Some(login))
}
