//! Which images jobs run, and what drifted.

use serde::{Deserialize, Serialize};

/// `GET /api/v1/images`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ImagesAnswer {
    /// Safe and current, or not, in one sentence.
    pub answer: String,
    /// Whether somebody must act.
    pub needs_action: bool,
    /// What is promoted.
    pub channels: Vec<ChannelRow>,
    /// What differs.
    pub drift: Vec<DriftRow>,
    /// What could be promoted, newest first.
    pub candidates: Vec<CandidateRow>,
    /// When the registry was asked last.
    pub registry_asked_ms: Option<u64>,
    /// Why it did not answer.
    pub registry_error: Option<String>,
    /// Our version.
    pub runner_version: String,
    /// The agent's version in the newest image.
    pub helper_version: Option<String>,
}

/// One channel of one image.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ChannelRow {
    /// The image's name.
    pub name: String,
    /// The channel.
    pub channel: String,
    /// Its digest.
    pub digest: String,
    /// When it was promoted.
    pub promoted_ms: Option<u64>,
    /// When it was built.
    pub created_ms: Option<u64>,
    /// Its size in the registry.
    pub compressed_bytes: Option<u64>,
    /// Whether a job passed in it.
    pub tested: bool,
    /// Findings of the secret gate.
    pub findings: Option<u64>,
    /// Median of the pulls of 7 days.
    pub pull_p50_ms: Option<u64>,
    /// Tasks that run in it.
    pub running: u64,
    /// Who promoted it.
    pub promoted_by: Option<String>,
}

/// One finding.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DriftRow {
    /// Its class.
    pub class: String,
    /// `critical`, `high` or `info`.
    pub severity: String,
    /// Expected and found.
    pub text: String,
    /// Since when.
    pub since_ms: Option<u64>,
    /// What mends it.
    pub command: Option<String>,
}

/// One version.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CandidateRow {
    /// The image's name.
    pub name: String,
    /// Its digest.
    pub digest: String,
    /// When it was built.
    pub created_ms: Option<u64>,
    /// The commit.
    pub git: Option<String>,
    /// `candidate`, `tested`, `revoked`.
    pub status: String,
    /// Smoke test, findings, layers; or why it was refused.
    pub text: String,
}
