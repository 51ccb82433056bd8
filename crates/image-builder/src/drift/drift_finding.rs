//! One difference between the manifest and the world: its class, how grave it is, and what to do about it.

use serde::Serialize;

/// What kind of difference it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftClass {
    /// The manifest lists a version, or somebody uses one, that the registry does not have.
    Missing,
    /// A tag has another digest than the manifest says.
    Moved,
    /// A task or an active task definition has an image that the manifest does not list.
    InUseUnlisted,
    /// A task or an active task definition has a version that is revoked.
    InUseRevoked,
    /// The registry, ECS or the manifest was not asked wholly.
    Unasked,
    /// A listed version has no tag, so a rule of the registry may delete it.
    Untagged,
    /// A version that a channel has is not scanned, not tested, or lacks its papers.
    Unproven,
    /// The layers are not compressed as the configuration or Fargate wants it.
    Format,
    /// The image of a channel is old or deprecated.
    Stale,
    /// The base has another digest now.
    BaseMoved,
    /// The agent in the image is of another version than this program.
    AgentDiffers,
    /// The repository has nearly as many images as its registry keeps.
    Quota,
    /// Nobody needs the image.
    Unneeded,
    /// A tag that the manifest does not know, and of which nobody knows how old it is.
    UnknownTag,
}

/// How grave it is, the gravest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftSeverity {
    /// Jobs fail, or run in another image than the manifest says.
    Critical,
    /// Jobs may fail at any time, or nobody knows what they run in.
    High,
    /// It will become a problem.
    Warning,
    /// To be tidied up.
    Info,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct DriftFinding {
    /// How grave it is.
    pub severity: DriftSeverity,
    /// What kind it is.
    pub class: DriftClass,
    /// Registry and repository.
    pub repository: String,
    /// The tag or the digest that it is about.
    pub subject: String,
    /// What was expected, and what was found.
    pub what: String,
    /// The next step.
    pub next: String,
    /// Bytes that a clean-up would give back. Layers that other images share count as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reclaimable_bytes: Option<u64>,
}

impl DriftClass {
    /// Every class.
    pub const ALL: [Self; 14] = [
        Self::Missing,
        Self::Moved,
        Self::InUseUnlisted,
        Self::InUseRevoked,
        Self::Unasked,
        Self::Untagged,
        Self::Unproven,
        Self::Format,
        Self::Stale,
        Self::BaseMoved,
        Self::AgentDiffers,
        Self::Quota,
        Self::Unneeded,
        Self::UnknownTag,
    ];

    /// Its word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Moved => "moved",
            Self::InUseUnlisted => "in_use_unlisted",
            Self::InUseRevoked => "in_use_revoked",
            Self::Unasked => "unasked",
            Self::Untagged => "untagged",
            Self::Unproven => "unproven",
            Self::Format => "format",
            Self::Stale => "stale",
            Self::BaseMoved => "base_moved",
            Self::AgentDiffers => "agent_differs",
            Self::Quota => "quota",
            Self::Unneeded => "unneeded",
            Self::UnknownTag => "unknown_tag",
        }
    }
}

impl DriftSeverity {
    /// Its word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::High => "high",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}
