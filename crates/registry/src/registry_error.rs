//! Why a registry gave no digest, in words for people, and the cause that a job's log shows.

use fargate_aws::CallError;
use fargate_model::cause::{CauseReport, FailureCause};

use crate::image_reference::ImageReferenceError;

/// Why an image has no digest.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RegistryError {
    /// The text names no image.
    #[error(transparent)]
    Reference(#[from] ImageReferenceError),
    /// The registry could not be asked.
    #[error("the registry {registry} cannot be asked from this host: {error}")]
    NotReached {
        /// The registry.
        registry: String,
        /// Why.
        error: CallError,
    },
    /// The registry does not accept user name and password.
    #[error(
        "the registry {registry} refused the login of user `{user}`: the password or the user is wrong"
    )]
    LoginRefused {
        /// The registry.
        registry: String,
        /// The user.
        user: String,
    },
    /// The registry asks for a login, and there is none.
    #[error("the registry {registry} asks for a login, and the profile names no `registry_secret`")]
    LoginNeeded {
        /// The registry.
        registry: String,
    },
    /// The login is accepted, but not for this image.
    #[error(
        "the registry {registry} lets {who} not read {repository}, or there is no such repository"
    )]
    PullRefused {
        /// The registry.
        registry: String,
        /// Who asked: a user, or everybody.
        who: String,
        /// The repository.
        repository: String,
    },
    /// There is no such repository.
    #[error("the registry {registry} has no repository {repository}")]
    NoRepository {
        /// The registry.
        registry: String,
        /// The repository.
        repository: String,
    },
    /// The repository has no such tag or digest.
    #[error("the repository {repository} of {registry} has no image {version}")]
    NoImage {
        /// The registry.
        registry: String,
        /// The repository.
        repository: String,
        /// The tag or digest.
        version: String,
    },
    /// The registry limits how often it is asked.
    #[error("the registry {registry} limits pulls: {message}")]
    Limited {
        /// The registry.
        registry: String,
        /// Its words.
        message: String,
    },
    /// The image is not made for this processor.
    #[error("the image is made for {}, and the profile asks for {wanted}", offered.join(", "))]
    WrongArchitecture {
        /// What the profile asks for.
        wanted: String,
        /// What the image offers.
        offered: Vec<String>,
    },
    /// The bytes do not have the digest that the registry or the reference names.
    #[error("the registry {registry} sent other bytes than those of {digest}")]
    DigestDiffers {
        /// The registry.
        registry: String,
        /// The digest.
        digest: String,
    },
    /// The answer cannot be used.
    #[error("the registry {registry} answered what cannot be used: {what}")]
    Unusable {
        /// The registry.
        registry: String,
        /// What is wrong.
        what: String,
    },
}

impl RegistryError {
    /// What a person can do about it, beside the words of the error.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Reference(error) => format!("did you mean `{}`?", error.suggestion.as_ref()?),
            Self::NotReached { .. } => {
                "if only tasks can reach the registry, set `pin_image = false`".to_owned()
            }
            Self::LoginRefused { .. } => {
                "write the right login: `fargate-runner registry-secret set USER`".to_owned()
            }
            Self::LoginNeeded { .. } => {
                "name the secret with the login as `registry_secret`".to_owned()
            }
            Self::PullRefused { .. } | Self::NoRepository { .. } | Self::NoImage { .. } => {
                "correct `image`, or push the image".to_owned()
            }
            Self::WrongArchitecture { .. } => {
                "set `architecture`, or build the image for it".to_owned()
            }
            Self::Limited { .. } | Self::DigestDiffers { .. } | Self::Unusable { .. } => {
                return None;
            }
        })
    }

    /// The cause for the log of a job that needs `image`.
    #[must_use]
    pub fn why(&self, image: &str) -> CauseReport {
        let cause = match self {
            Self::Reference(_) => FailureCause::ImageMalformed,
            Self::NotReached { .. } | Self::Unusable { .. } => FailureCause::RegistryNotAsked,
            Self::LoginRefused { .. } | Self::LoginNeeded { .. } | Self::PullRefused { .. } => {
                FailureCause::ImageDenied
            }
            Self::NoRepository { .. } | Self::NoImage { .. } => FailureCause::ImageNotFound,
            Self::Limited { .. } => FailureCause::RegistryLimit,
            Self::WrongArchitecture { .. } => FailureCause::ImageArch,
            Self::DigestDiffers { .. } => FailureCause::RegistryFailed,
        };
        let mut words = self.to_string();
        if let Some(hint) = self.hint() {
            words = format!("{words}; {hint}");
        }
        CauseReport::new(cause).with("image", image).because(sentence(&words))
    }
}

/// The words as a sentence of their own.
fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    let end = if words.ends_with(['?', '.']) { "" } else { "." };
    format!("{}{}{end}", first.unwrap_or_default(), letters.as_str())
}
