//! How long a job may take and how long its task may live.
//!
//! The driver sends these limits and the agent obeys them, so both read them here. Nothing here
//! measures time.

use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Longest time-out of a job. A longer one counts as this. GitLab allows none of more than a month.
///
/// Source: GitLab, `app/models/project.rs`, `MAX_BUILD_TIMEOUT`; a month is 30.4 days there.
pub const MAX_JOB_TIMEOUT: Duration = Duration::from_secs(31 * DAY.as_secs());

/// Longest time that a task may live beyond its job's time-out: the limit of
/// `timeouts.lifetime_margin`.
pub const MAX_LIFETIME_MARGIN: Duration = DAY;

/// Longest life of a task, in seconds, that an agent takes from its environment.
pub const MAX_LIFETIME_S: u64 = MAX_JOB_TIMEOUT.as_secs() + MAX_LIFETIME_MARGIN.as_secs();

/// Longest life of a task that agents of every version take from their environment. Agents of
/// version 0.1 refuse more than a week, and end at once. By a lease they take up to a year, so a
/// longer life is sent as a lease after the start.
pub const FIRST_LIFETIME: Duration = Duration::from_secs(7 * DAY.as_secs());
