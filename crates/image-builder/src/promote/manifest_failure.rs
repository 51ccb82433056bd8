//! Failures of the manifest as failures of a command.

use fargate_image_manifest::{ChannelChangeError, ManifestError};
use fargate_model::text::error_chain;

use crate::failure::ImageFailure;

impl From<ManifestError> for ImageFailure {
    fn from(error: ManifestError) -> Self {
        let what = error_chain(&error);
        match error {
            ManifestError::Changed { .. } => {
                Self::Conflict { what, hint: "if it is kept in git, pull first".to_owned() }
            }
            ManifestError::Missing { .. } => Self::Unusable {
                what,
                hint: "correct `manifest` of the image, or publish a version".to_owned(),
            },
            ManifestError::File(_) => Self::Unusable {
                what,
                hint: "correct the owner and the mode of the manifest".to_owned(),
            },
            ManifestError::Malformed { .. } | ManifestError::NewerSchema { .. } => Self::Unusable {
                what,
                hint: "bring the manifest back from git: `git log -p` shows who changed it"
                    .to_owned(),
            },
        }
    }
}

impl From<ChannelChangeError> for ImageFailure {
    fn from(error: ChannelChangeError) -> Self {
        let what = format!("changing the manifest: {error}");
        let list = "see `fargate-runner image list`".to_owned();
        match error {
            ChannelChangeError::NotListed(_) | ChannelChangeError::SameVersion(_) => {
                Self::Unusable { what, hint: list }
            }
            ChannelChangeError::Assigned { .. } => Self::Conflict { what, hint: list },
            ChannelChangeError::Revoked { .. }
            | ChannelChangeError::NoChannel(_)
            | ChannelChangeError::NoFormer(_) => Self::PromotionRefused { what, hint: list },
        }
    }
}
