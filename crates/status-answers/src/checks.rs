//! Whether network, rights, storage and images are as a job will need them.

use serde::{Deserialize, Serialize};

/// `GET /api/v1/checks`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ChecksAnswer {
    /// Ready or not, in one sentence.
    pub answer: String,
    /// Whether somebody must act.
    pub needs_action: bool,
    /// When it was checked; `None`: not yet.
    pub checked_ms: Option<u64>,
    /// How long it took.
    pub took_ms: Option<u64>,
    /// The addresses from which jobs leave.
    pub egress: Vec<EgressAddress>,
    /// Failures first, then unknown ones, warnings, passed ones.
    pub checks: Vec<CheckLine>,
    /// Why the checks could not run.
    pub error: Option<String>,
    /// The last runs, the oldest first; this one is the last of them. At most [`MOST_CHECK_RUNS`].
    #[serde(default)]
    pub runs: Vec<CheckRunMark>,
    /// The SHA-256 of the configuration file that was checked, in hex.
    #[serde(default)]
    pub config_sha256: Option<String>,
    /// The configuration file is not the one that was checked. Who reads the report finds out.
    #[serde(default)]
    pub is_outdated: bool,
}

/// How many runs of the checks are remembered. Ours.
pub const MOST_CHECK_RUNS: usize = 30;

/// What came of one run of the checks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CheckRunMark {
    /// When it was.
    pub at_ms: u64,
    /// The gravest outcome of its checks.
    pub outcome: CheckOutcome,
    /// The name of the first check that did not pass.
    pub first: Option<String>,
}

/// The address of a NAT gateway.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct EgressAddress {
    /// The address.
    pub address: String,
    /// Its zone.
    pub zone: String,
}

/// One check.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CheckLine {
    /// Which check it is, for programs: words with `-`, the same in every version.
    #[serde(default)]
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// What came of it.
    pub outcome: CheckOutcome,
    /// What was found.
    pub found: String,
    /// What to do.
    pub fix: Option<String>,
    /// A command or policy statement to paste.
    pub command: Option<String>,
}

/// What came of a check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckOutcome {
    /// It could not tell.
    #[default]
    Unknown,
    /// As a job needs it.
    Pass,
    /// It works, and something is to be said.
    Warn,
    /// A job would fail.
    Fail,
}
