//! What a registry did not do, as a failure of a command that reads or moves what is there. A push has words of
//! its own.

use fargate_registry::RepositoryError;

use crate::failure::ImageFailure;

/// The failure of a registry that was asked for something.
pub(crate) fn of_registry(error: &RepositoryError) -> ImageFailure {
    let what = error.to_string();
    match error.is_of_login() {
        true => ImageFailure::RegistryDenied {
            what,
            hint: "check `registry_secret` of the image, and the rights of its user".to_owned(),
        },
        false => ImageFailure::PushFailed {
            what,
            hint: "run the command again; what is done already is not done twice".to_owned(),
        },
    }
}
