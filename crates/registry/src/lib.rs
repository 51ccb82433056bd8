//! Registries of images: what the text of an image names, which digest it has now, whether a task can run
//! it, and the secret with the login of the registry.
//!
//! It also moves blobs and manifests to and from one repository. It decides nothing about images, builds none and
//! knows no task. How servers are reached is the business of
//! [`fargate_aws`].

mod challenge;
mod credentials;
mod exchange;
mod image_reference;
mod manifest;
mod profile_image;
mod registry_check;
mod registry_client;
mod registry_error;
mod registry_login;
mod registry_secret;
mod repository_error;
mod repository_session;

pub use credentials::{CredentialsFormError, RegistryCredentials};
pub use fargate_aws::SecretDescription;
pub use image_reference::{ImageReference, ImageReferenceError, ImageVersion};
pub use profile_image::{check_image, pinned_on_host, pinned_profile};
pub use registry_check::{RegistryCheckError, RegistryCheckStep, check_registry};
pub use registry_client::{PinnedImage, RegistrySettings, pin_image};
pub use registry_error::RegistryError;
pub use registry_secret::{RegistrySecret, RegistrySecretError, RegistrySecretFacts, SecretChange};
pub use repository_error::RepositoryError;
pub use repository_session::{
    BlobMount, RepositoryAccess, RepositoryRights, RepositorySession, StoredManifest, UploadPlace,
};
