//! Why a phase of a test did not pass.

use crate::failure::ImageFailure;

/// Why a phase did not pass.
pub(super) enum PhaseProblem {
    /// Because of the image.
    Image {
        /// What was done, and what came of it.
        what: String,
        /// The next step.
        hint: String,
    },
    /// For another reason: the engine, this host, a signal.
    Other(ImageFailure),
}

impl PhaseProblem {
    /// A problem with the image.
    pub(super) fn image(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Image { what: what.into(), hint: hint.into() }
    }
}

impl From<ImageFailure> for PhaseProblem {
    fn from(failure: ImageFailure) -> Self {
        Self::Other(failure)
    }
}
