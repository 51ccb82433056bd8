//! How long a start takes, and which phase is to blame.

use crate::TimelinePhase;
use serde::{Deserialize, Serialize};

/// `GET /api/v1/start-time`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct StartTimeAnswer {
    /// How good it is, in one sentence.
    pub answer: String,
    /// How many starts there were.
    pub starts: u64,
    /// Half took less. `None` under 20 starts.
    pub p50_ms: Option<u64>,
    /// 99 of 100 took less. `None` under 100 starts.
    pub p99_ms: Option<u64>,
    /// The shortest.
    pub least_ms: Option<u64>,
    /// The longest.
    pub most_ms: Option<u64>,
    /// Start of the window.
    pub from_ms: u64,
    /// Its end.
    pub to_ms: u64,
    /// Per phase, in order.
    pub phases: Vec<PhaseStatistics>,
    /// Starts per half hour of the day and length; empty cells are left out.
    pub heat_map: Vec<HeatMapCell>,
    /// Per image, most starts first.
    pub by_image: Vec<ImageStarts>,
    /// Projects that can be chosen.
    pub projects: Vec<String>,
    /// Images that can be chosen.
    pub images: Vec<String>,
    /// Sizes that can be chosen.
    pub sizes: Vec<String>,
    /// Parameters that are not known.
    pub notices: Vec<String>,
}

/// One phase.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PhaseStatistics {
    /// Which.
    pub phase: TimelinePhase,
    /// Who holds the job in it.
    pub owner: String,
    /// Its name for people.
    pub label: String,
    /// How many starts reported it.
    pub starts: u64,
    /// Median; `None` under 20.
    pub p50_ms: Option<u64>,
    /// 90 of 100 took less; `None` under 20.
    pub p90_ms: Option<u64>,
    /// 99 of 100 took less; `None` under 100.
    pub p99_ms: Option<u64>,
    /// Its part of the sum of medians, 0 to 1.
    pub share: Option<f64>,
    /// The median of the 7 days before the window.
    pub week_before_p50_ms: Option<u64>,
}

/// Starts of one half hour and one length.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct HeatMapCell {
    /// 0 to 47, UTC.
    pub half_hour: u8,
    /// 0: under 1 s; then edges 1, 10, 20, 40, 80, 160 s.
    pub row: u8,
    /// How many.
    pub starts: u64,
}

/// Starts of one image.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ImageStarts {
    /// The image as configured.
    pub image: String,
    /// Its digest.
    pub digest: Option<String>,
    /// How many.
    pub starts: u64,
    /// Median.
    pub p50_ms: Option<u64>,
    /// 90 of 100 took less.
    pub p90_ms: Option<u64>,
    /// Its size in the registry.
    pub compressed_bytes: Option<u64>,
    /// Facts that slow it.
    pub levers: Vec<String>,
}
