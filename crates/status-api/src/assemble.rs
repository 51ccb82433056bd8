//! Answers from stories, rows and facts: pure functions, which read no database and no clock.

mod attention;
mod cost;
mod history;
mod job;
mod live_rows;
mod now;
mod start_time;
mod words;

pub(crate) use attention::report_of_live;
pub use cost::{CostParts, cost_answer};
pub(crate) use history::headline_of;
pub use history::{HistoryParts, bucket_ms, filter_of, history_answer, page_request};
pub use job::{job_answer, stop_path};
pub(crate) use live_rows::{live_limits, size_of, start_lengths, usual_key};
pub(crate) use now::REFUSALS_MS;
pub use now::{NowParts, now_answer};
pub use start_time::{StartTimeParts, start_time_answer};
pub(crate) use words::{counted, why_of_failure};

/// Where a job stands, as texts spell it.
pub(crate) fn state_of(story: &fargate_job_journal::JobStory) -> &'static str {
    story.state.word()
}
