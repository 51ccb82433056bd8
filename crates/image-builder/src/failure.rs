//! Why a step of an image failed, and with which exit code the command ends: one code for each kind of
//! cause, so that a pipeline can tell them apart.
//!
//! Texts say what was being done, what was found, and the next step. They never hold a secret's value.

use fargate_model::text::error_chain;

use crate::context::ContextError;
use crate::dockerfile::DockerfileError;

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
pub enum ImageFailure {
    /// The configuration has no such image.
    #[error(
        "looking for `[image.{given}]`: {}",
        if known.is_empty() {
            "the configuration has no section `[image.NAME]`".to_owned()
        } else {
            format!("the configuration has {}", known.join(", "))
        }
    )]
    UnknownImage {
        /// The name that was given.
        given: String,
        /// The names that there are.
        known: Vec<String>,
    },
    /// Something on this host cannot be used as the configuration or the command says.
    #[error("{what}\nhint: {hint}")]
    Unusable {
        /// What was being done, and what was found.
        what: String,
        /// The next step.
        hint: String,
    },
    /// The folder that is built cannot be sent.
    #[error(transparent)]
    Context(#[from] ContextError),
    /// The Dockerfile has no instructions that could be built.
    #[error(transparent)]
    Dockerfile(#[from] DockerfileError),
    /// The Dockerfile says something wrong or dangerous.
    #[error("checking the Dockerfile: {}", findings.join("\n"))]
    LintRefused {
        /// Place, words and next step of each finding.
        findings: Vec<String>,
    },
    /// Registry, tasks and manifest differ.
    #[error("{what}")]
    DriftFound {
        /// The classes, and how many there are of each.
        what: String,
    },
    /// The gate found secrets. Values are masked.
    #[error("{what}\nhint: {hint}")]
    SecretsFound {
        /// Rule, place and masked value of each.
        what: String,
        /// The next step.
        hint: String,
    },
    /// The engine could not build the image.
    #[error("{what}\nhint: {hint}")]
    BuildFailed {
        /// Step, command, exit code and last lines.
        what: String,
        /// The next step.
        hint: String,
    },
    /// The Docker Engine cannot be reached, or lacks something.
    #[error("{what}\nhint: {hint}")]
    EngineUnusable {
        /// What was asked, and what came of it.
        what: String,
        /// The next step.
        hint: String,
    },
    /// The registry refused the login, or what the login asked for.
    #[error("{what}\nhint: {hint}")]
    RegistryDenied {
        /// Registry, repository, user and answer.
        what: String,
        /// The next step.
        hint: String,
    },
    /// The registry did not take the image, after all tries.
    #[error("{what}\nhint: {hint}")]
    PushFailed {
        /// Digest, tries and the last answer.
        what: String,
        /// The next step.
        hint: String,
    },
    /// A job in the image did not run as it must.
    #[error("{what}\nhint: {hint}")]
    SmokeTestFailed {
        /// Phase, times and the end of the container's log.
        what: String,
        /// The next step.
        hint: String,
    },
    /// Somebody else changed the tag, the manifest or the channel.
    #[error("{what}\nhint: {hint}")]
    Conflict {
        /// What differs.
        what: String,
        /// The next step.
        hint: String,
    },
    /// What the registry gives back is not what was pushed.
    #[error("{what}\nhint: {hint}")]
    NotVerified {
        /// Which digest differs.
        what: String,
        /// The next step.
        hint: String,
    },
    /// A rule forbids the promotion.
    #[error("{what}\nhint: {hint}")]
    PromotionRefused {
        /// The rule, and what it found.
        what: String,
        /// The next step.
        hint: String,
    },
    /// A signal ended the work.
    #[error("interrupted during {during}; {left}")]
    Interrupted {
        /// The step.
        during: &'static str,
        /// What is left of it, and where.
        left: String,
    },
}

impl ImageFailure {
    /// What the failed step left, where it knows that, in one line for people.
    #[must_use]
    pub fn left(&self) -> Option<&str> {
        match self {
            Self::Interrupted { left, .. } => Some(left),
            _ => None,
        }
    }

    /// What failed, why and the next step, in one line of a list.
    pub(crate) fn in_one_line(&self) -> String {
        error_chain(self).replace('\n', "; ")
    }

    /// The exit code of a command that fails for this.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::UnknownImage { .. }
            | Self::Unusable { .. }
            | Self::Context(_)
            | Self::Dockerfile(_)
            | Self::LintRefused { .. } => 2,
            Self::DriftFound { .. } => 3,
            Self::SecretsFound { .. } => 4,
            Self::BuildFailed { .. } => 5,
            Self::EngineUnusable { .. } => 6,
            Self::RegistryDenied { .. } => 7,
            Self::PushFailed { .. } => 8,
            Self::SmokeTestFailed { .. } => 9,
            Self::Conflict { .. } => 10,
            Self::NotVerified { .. } => 11,
            Self::PromotionRefused { .. } => 12,
            Self::Interrupted { .. } => 130,
        }
    }
}
