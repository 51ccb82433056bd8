//! The answers of the status API: one type for each question that a page, a program or a terminal asks.
//!
//! JSON, HTML and the terminal show the same values, so they cannot disagree. Each answer has a sentence
//! `answer` that says the most important thing. Words of causes come from the catalogue in `model`. Nothing
//! here reads a database, a file or a clock.

mod answer_words;
mod checks;
mod console_link;
mod cost;
mod event_lines;
mod history;
mod images;
mod job;
mod job_answer;
mod job_facts;
mod job_text;
mod job_why;
mod now;
mod phase_times;
mod start_time;
mod timeline;
mod why;

pub use answer_words::{
    exact_time_of_day, exit_meaning, length, stage_verdict, time_of_day, titled,
};
pub use checks::{
    CheckLine, CheckOutcome, CheckRunMark, ChecksAnswer, EgressAddress, MOST_CHECK_RUNS,
};
pub use console_link::ecs_console_url;
pub use cost::{CostAnswer, CostDay, CostGroup, CostWaste, UnpricedCost};
pub use event_lines::event_line;
pub use history::{CauseGroup, HistoryAnswer, HistoryBucket, HistoryRow, RemovableFilter};
pub use images::{CandidateRow, ChannelRow, DriftRow, ImagesAnswer};
pub use job::{
    JobAnswer, JobDetail, JobEventLine, JobStateWord, JobVerdictWord, StageRow, TimelinePhase,
    TimelineRow, TimelineTry,
};
pub use job_answer::JobSurroundings;
pub use job_text::{JobTextStyle, show_text, why_text};
pub use job_why::causes_of;
pub use now::{
    AttentionRow, LimitRow, NowAnswer, RunnerNumbers, RunningRow, StartingRow, StateCounts,
    WaitingRow,
};
pub use phase_times::{current_phase, phases_of};
pub use start_time::{HeatMapCell, ImageStarts, PhaseStatistics, StartTimeAnswer};
pub use timeline::{UsualLengths, is_of_start, phase_words, strip_of, timeline_of};
pub use why::WhyAnswer;
