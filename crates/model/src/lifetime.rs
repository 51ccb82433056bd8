//! How long a job may take and its task may live: one set of limits for the driver, which tells
//! them, and the agent, which obeys them.

use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Longest time-out of a job that is believed; a longer one counts as this. GitLab takes none of
/// more than a month.
///
/// Source: GitLab, `app/models/project.rs`, `MAX_BUILD_TIMEOUT`; its months have 30.4 days.
pub const MAX_JOB_TIMEOUT: Duration = Duration::from_secs(31 * DAY.as_secs());

/// Most that a task may live beyond its job's time-out: what `timeouts.lifetime_margin` may be.
pub const MAX_LIFETIME_MARGIN: Duration = DAY;

/// Longest life of a task, in seconds, that an agent takes from its environment.
pub const MAX_LIFETIME_S: u64 = MAX_JOB_TIMEOUT.as_secs() + MAX_LIFETIME_MARGIN.as_secs();

/// Longest life of a task that every agent takes from its environment: those of 0.1 refuse more
/// than a week, and end at once. By a lease they take a year, so whoever needs more starts with
/// this and gives the rest by lease.
pub const FIRST_LIFETIME: Duration = Duration::from_secs(7 * DAY.as_secs());
