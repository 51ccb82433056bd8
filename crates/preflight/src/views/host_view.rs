//! This host: its clock, and whether it reaches GitLab.

use crate::reading::AwsReading;

/// What GitLab answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitlabAnswer {
    /// The HTTP status.
    pub status: u16,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// This host: its clock, and whether it reaches GitLab.
#[derive(Clone, Debug, Default)]
pub struct HostView {
    /// How many seconds the clock of this host is ahead of that of AWS; negative if it is behind.
    pub clock_ahead_s: AwsReading<i64>,
    /// What GitLab answered, or why it did not. Not asked for if no URL is known.
    pub gitlab: AwsReading<Result<GitlabAnswer, String>>,
}
