//! One version of an image: what was built, how it was judged, and where its papers are.
//!
//! Members that are not known here are kept as they are, so that an older program loses nothing that a
//! newer one wrote.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{ImageDigest, ManifestTime};

/// A version of an image in the registry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordedVersion {
    /// The digest of its manifest, the same in every registry.
    pub digest: ImageDigest,
    /// Its candidate tag, which is never moved.
    pub tag: String,
    /// When it was published.
    pub created: ManifestTime,
    /// What became of it.
    pub status: VersionStatus,
    /// The commit that it was built from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git: Option<String>,
    /// Whether files had been changed since that commit. Such a version is never promoted.
    #[serde(default, skip_serializing_if = "is_false")]
    pub dirty: bool,
    /// The digest of the build context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<ImageDigest>,
    /// The processor that it is made for: `x86_64` or `arm64`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    /// The image that it was built on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<RecordedBase>,
    /// The bytes that a task pulls.
    #[serde(default)]
    pub size_bytes: u64,
    /// How many layers it has.
    #[serde(default)]
    pub layers: u32,
    /// How its layers are compressed, for example `zstd` or `gzip`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compression: Option<String>,
    /// The version of the agent inside, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The version of GitLab Runner's helper inside, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub helper: Option<String>,
    /// The search for secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scan: Option<ScanRecord>,
    /// The job that ran in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smoke: Option<SmokeTestRecord>,
    /// The list of what is in it, as a referrer in the registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sbom: Option<ImageDigest>,
    /// How it was built, as a referrer in the registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<ImageDigest>,
    /// Its signature in the registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<ImageDigest>,
    /// From when on jobs are warned that it is old.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deprecation_time: Option<ManifestTime>,
    /// Why it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_reason: Option<String>,
    /// Members that this version of the program does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// What became of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VersionStatus {
    /// It was published, and no job has run in it.
    Candidate,
    /// A real job ran in it.
    Tested,
    /// Nobody may use it any more.
    Revoked,
}

impl VersionStatus {
    /// The word in the manifest.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Candidate => "candidate",
            Self::Tested => "tested",
            Self::Revoked => "revoked",
        }
    }
}

/// The image that a version was built on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordedBase {
    /// Its text, as the Dockerfile or the configuration names it.
    #[serde(rename = "ref")]
    pub reference: String,
    /// The digest that it had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<ImageDigest>,
    /// Members that this version of the program does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// What the search for secrets found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScanRecord {
    /// The version of the rules.
    pub rules: String,
    /// Findings that no waiver covers.
    pub findings: u32,
    /// Findings that a waiver covers.
    #[serde(default)]
    pub waived: u32,
    /// Until when the waivers count; the first end of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waived_until: Option<ManifestTime>,
    /// Members that this version of the program does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// The job that ran in a version before it was pushed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SmokeTestRecord {
    /// When.
    pub at: ManifestTime,
    /// From the start to the banner of the SSH server, in milliseconds.
    pub banner_ms: u64,
    /// Whether everything worked.
    pub ok: bool,
    /// Members that this version of the program does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl RecordedVersion {
    /// A candidate of which nothing more is known.
    #[must_use]
    pub fn candidate(digest: ImageDigest, tag: &str, created: ManifestTime) -> Self {
        Self {
            digest,
            tag: tag.to_owned(),
            created,
            status: VersionStatus::Candidate,
            git: None,
            dirty: false,
            context: None,
            architecture: None,
            base: None,
            size_bytes: 0,
            layers: 0,
            compression: None,
            agent: None,
            helper: None,
            scan: None,
            smoke: None,
            sbom: None,
            provenance: None,
            signature: None,
            deprecation_time: None,
            revoked_reason: None,
            other: Map::new(),
        }
    }

    /// Whether nobody may use it any more.
    #[must_use]
    pub fn is_revoked(&self) -> bool {
        self.status == VersionStatus::Revoked
    }
}
