//! The image of a profile by its digest, as the task definition of a job is to name it.
//!
//! An image that has a digest already, an image of ECR, and every image where `pin_image` is off stay as they
//! are written; their text is checked all the same.

use fargate_aws::AwsAccount;
use fargate_config::JobProfile;
use fargate_mask::SharedMasker;
use fargate_model::cause::CauseReport;

use crate::image_reference::{ImageReference, ImageVersion};
use crate::registry_client::{RegistrySettings, pin_image};
use crate::registry_error::RegistryError;
use crate::registry_secret::RegistrySecret;

/// The profile with its image by digest. A profile with a fixed task definition stays as it is, and nothing
/// is asked.
///
/// # Errors
///
/// The cause for which the image has no digest: its text, its login, the registry, or its architecture.
pub async fn pinned_profile(
    profile: &JobProfile,
    account: &AwsAccount,
) -> Result<JobProfile, CauseReport> {
    let Some(text) = profile.image.as_deref() else { return Ok(profile.clone()) };
    let parsed = text.parse::<ImageReference>();
    let image = parsed.map_err(|error| RegistryError::Reference(error).why(text))?;
    if !needs_pin(&image, profile) {
        return Ok(profile.clone());
    }
    let credentials = match &profile.registry_secret {
        None => None,
        Some(name) => {
            let secret = RegistrySecret::open(name, profile, account.masker()).await;
            let secret = secret.map_err(|error| error.why())?;
            Some(secret.read().await.map_err(|error| error.why())?)
        }
    };
    let settings = RegistrySettings::of(profile);
    let pinned = pin_image(&image, credentials.as_ref(), &settings, account).await;
    let pinned = pinned.map_err(|error| error.why(text))?;
    let mut profile = profile.clone();
    profile.image = Some(pinned.text);
    Ok(profile)
}

/// The same for a caller that has no account open.
///
/// # Errors
///
/// As [`pinned_profile`], or the cause for which AWS cannot be reached from this host.
pub async fn pinned_on_host(
    profile: &JobProfile,
    masker: &SharedMasker,
) -> Result<JobProfile, CauseReport> {
    let account = AwsAccount::open(profile.region.clone(), profile, masker).await?;
    pinned_profile(profile, &account).await
}

/// Checks the text of a profile's image. Nothing is asked.
///
/// # Errors
///
/// [`RegistryError::Reference`] if it names no image.
pub fn check_image(profile: &JobProfile) -> Result<(), RegistryError> {
    let Some(text) = profile.image.as_deref() else { return Ok(()) };
    Ok(text.parse::<ImageReference>().map(drop)?)
}

/// Whether the registry is to be asked.
fn needs_pin(image: &ImageReference, profile: &JobProfile) -> bool {
    let is_tag = matches!(image.version(), ImageVersion::Tag(_));
    profile.pin_image && is_tag && !image.is_of_ecr()
}
