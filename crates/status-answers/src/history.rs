//! Jobs of the past, filtered.

use crate::job::{JobStateWord, JobVerdictWord};
use serde::{Deserialize, Serialize};

/// `GET /api/v1/jobs`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct HistoryAnswer {
    /// The mix, in one sentence.
    pub answer: String,
    /// One page, newest first unless sorted otherwise.
    pub rows: Vec<HistoryRow>,
    /// How many match; at most 10,000 are counted.
    pub total: u64,
    /// Whether more than `total` match.
    pub is_more: bool,
    /// How many jobs the window has without the filter.
    pub all: u64,
    /// The `after` of the next page.
    pub next: Option<String>,
    /// The `before` of the page before.
    pub previous: Option<String>,
    /// Jobs over the window.
    pub buckets: Vec<HistoryBucket>,
    /// Length of a bucket.
    pub bucket_ms: u64,
    /// Start of the window.
    pub from_ms: u64,
    /// Its end.
    pub to_ms: u64,
    /// The causes of the jobs that match, most first, if the query has `group=cause`; then there are no rows.
    pub groups: Option<Vec<CauseGroup>>,
    /// Causes in the window with their counts, most first.
    pub causes: Vec<(String, u64)>,
    /// Projects that can be chosen.
    pub projects: Vec<String>,
    /// Images that can be chosen.
    pub images: Vec<String>,
    /// Sizes that can be chosen.
    pub sizes: Vec<String>,
    /// Hosts that can be chosen.
    pub hosts: Vec<String>,
    /// Parameters that are not known, each with the nearest known one.
    pub notices: Vec<String>,
    /// If no job matches: the filter that leaves out most of them.
    #[serde(default)]
    pub removable: Option<RemovableFilter>,
}

/// A filter without which some jobs match.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RemovableFilter {
    /// Its parameter.
    pub key: String,
    /// How many jobs match without it; at most 10,000 are counted.
    pub jobs: u64,
}

/// Jobs with one cause.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CauseGroup {
    /// The cause.
    pub slug: String,
    /// What it means, without the facts of a case.
    pub headline: String,
    /// How many jobs met it.
    pub jobs: u64,
}

/// Jobs of one stretch of time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct HistoryBucket {
    /// Its start.
    pub at_ms: u64,
    /// All jobs that were received in it, or that ended in it, as the window is about.
    pub jobs: u64,
    /// Of these, failed ones.
    pub failed: u64,
}

/// One job.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct HistoryRow {
    /// Its id.
    pub id: String,
    /// Where it stands.
    pub state: JobStateWord,
    /// How it ended.
    pub verdict: Option<JobVerdictWord>,
    /// Its name.
    pub name: Option<String>,
    /// Its project's path.
    pub project: Option<String>,
    /// Branch or tag.
    pub git_ref: Option<String>,
    /// Its host.
    pub host: String,
    /// Its image as configured.
    pub image: Option<String>,
    /// Its size.
    pub size: Option<String>,
    /// Whether it ran on Spot.
    pub is_spot: bool,
    /// Its cause.
    pub slug: Option<String>,
    /// The cause's headline.
    pub headline: Option<String>,
    /// When it was received.
    pub received_ms: u64,
    /// How long its start took.
    pub started_in_ms: Option<u64>,
    /// How long it lived.
    pub lived_ms: Option<u64>,
    /// Estimated cost.
    pub cost_micro_usd: Option<u64>,
}
