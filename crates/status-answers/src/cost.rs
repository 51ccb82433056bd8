//! What jobs cost, as an estimate. Money is in millionths of a US dollar.

use serde::{Deserialize, Serialize};

/// `GET /api/v1/cost`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CostAnswer {
    /// How much, in one sentence with "about" or "estimate".
    pub answer: String,
    /// Since 00:00 UTC.
    pub today_micro_usd: u64,
    /// Since the first of the month, UTC.
    pub month_micro_usd: u64,
    /// Of the month: starts, idle time and failed starts.
    pub no_work_micro_usd: u64,
    /// The day of the prices: `2026-10-09`.
    pub price_date: String,
    /// Their age.
    pub price_age_days: u64,
    /// Their Region.
    pub price_region: String,
    /// What is not included.
    pub left_out: Vec<String>,
    /// Jobs left out because a price is missing.
    pub unpriced_jobs: u64,
    /// Why they are left out.
    pub unpriced: Vec<UnpricedCost>,
    /// Of the window: images through a NAT gateway; `None`: they take another way.
    pub nat_micro_usd: Option<u64>,
    /// Start of the window.
    pub from_ms: u64,
    /// Its end.
    pub to_ms: u64,
    /// `project`, `size` or `image`.
    pub by: String,
    /// Per day.
    pub days: Vec<CostDay>,
    /// Per group, dearest first.
    pub groups: Vec<CostGroup>,
    /// Largest first.
    pub waste: Vec<CostWaste>,
    /// Parameters that are not known.
    pub notices: Vec<String>,
}

/// Jobs that are left out of a sum.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct UnpricedCost {
    /// The key of the price that is missing: `prices.arm_spot_vcpu_hour`; `None`: the size of a task is not known.
    pub key: Option<String>,
    /// How many jobs.
    pub jobs: u64,
    /// The newest of them.
    pub newest: String,
}

/// One day, UTC.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CostDay {
    /// Its start.
    pub at_ms: u64,
    /// Scripts and stages.
    pub script_micro_usd: u64,
    /// Starts that led to a script.
    pub start_micro_usd: u64,
    /// A task alive with no stage.
    pub idle_micro_usd: u64,
    /// Starts that failed.
    pub failed_micro_usd: u64,
}

/// One project, size or image.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CostGroup {
    /// Its name.
    pub name: String,
    /// Its jobs.
    pub jobs: u64,
    /// What they cost.
    pub cost_micro_usd: u64,
    /// Of it: starts.
    pub start_micro_usd: u64,
    /// Of it: idle.
    pub idle_micro_usd: u64,
    /// Of it: failed starts.
    pub failed_micro_usd: u64,
    /// Part of the billed seconds on Spot, 0 to 1.
    pub spot_share: f64,
    /// The same in the period before.
    pub before_micro_usd: Option<u64>,
}

/// Money that bought no work.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CostWaste {
    /// `starting`, `idle`, `failed_starts`, `nat`.
    pub kind: String,
    /// How much.
    pub micro_usd: u64,
    /// What it is and what to do.
    pub text: String,
    /// The page that explains it; empty if there is none.
    pub link: String,
}
