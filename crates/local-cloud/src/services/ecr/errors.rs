//! The errors of ECR, in its words.
//!
//! Source: Amazon ECR API Reference, and messages of the service as public issue trackers quote them.

use crate::account::ACCOUNT;
use crate::wire::exception::ServiceException;

/// There is no such repository.
pub fn no_repository(name: &str) -> ServiceException {
    let message = format!(
        "The repository with name '{name}' does not exist in the registry with id '{ACCOUNT}'"
    );
    ServiceException::new("RepositoryNotFoundException", message)
}

/// There is such a repository already.
pub fn repository_exists(name: &str) -> ServiceException {
    let message = format!(
        "The repository with name '{name}' already exists in the registry with id '{ACCOUNT}'"
    );
    ServiceException::new("RepositoryAlreadyExistsException", message)
}

/// A repository with images is deleted by force alone.
pub fn not_empty(name: &str) -> ServiceException {
    let message = format!(
        "The repository with name '{name}' in registry with id '{ACCOUNT}' cannot be deleted because it still \
         contains images"
    );
    ServiceException::new("RepositoryNotEmptyException", message)
}

/// The repository has no such image.
pub fn no_image(repository: &str, digest: Option<&str>, tag: Option<&str>) -> ServiceException {
    let (digest, tag) = (digest.unwrap_or("null"), tag.unwrap_or("null"));
    let message = format!(
        "The image with imageId {{imageDigest:'{digest}', imageTag:'{tag}'}} does not exist within the \
         repository with name '{repository}' in the registry with id '{ACCOUNT}'"
    );
    ServiceException::new("ImageNotFoundException", message)
}

/// The image is there, under that tag.
pub fn image_exists(repository: &str, digest: &str, tag: &str) -> ServiceException {
    let message = format!(
        "Image with digest '{digest}' and tag '{tag}' already exists in the repository with name \
         '{repository}' in registry with id '{ACCOUNT}'"
    );
    ServiceException::new("ImageAlreadyExistsException", message)
}

/// The manifest has another digest than the request says.
pub fn other_digest(told: &str, calculated: &str) -> ServiceException {
    let message = format!(
        "The provided image digest '{told}' did not match the digest calculated by Amazon ECR '{calculated}'"
    );
    ServiceException::new("ImageDigestDoesNotMatchException", message)
}

/// A tag that cannot be moved names another image.
pub fn tag_is_immutable(repository: &str, tag: &str) -> ServiceException {
    let message = format!(
        "The image tag '{tag}' already exists in the '{repository}' repository and cannot be overwritten \
         because the tag is immutable."
    );
    ServiceException::new("ImageTagAlreadyExistsException", message)
}

/// A member is missing or breaks a rule.
pub fn parameter(member: &str, rule: &str) -> ServiceException {
    let message = format!("Invalid parameter at '{member}' failed to satisfy constraint: '{rule}'");
    ServiceException::new("InvalidParameterException", message)
}
