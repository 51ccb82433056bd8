//! Words that several answers share.

use std::time::Duration;

use fargate_history::{FailureRow, JobRow};
use fargate_model::text;
use fargate_status_answers::{HistoryRow, WhyAnswer};

/// Longest answer sentence, in characters. Source: the page's first paragraph has two lines.
const LONGEST_ANSWER: usize = 160;

/// A length that goes on: `4m 12s`.
pub(crate) fn ticking(ms: u64) -> String {
    text::ticking(Duration::from_millis(ms))
}

/// A length that is over: `41.2 s`.
pub(crate) fn length(ms: u64) -> String {
    text::duration(Duration::from_millis(ms))
}

/// `1 job`, `1,204 jobs`.
pub(crate) fn jobs(n: u64) -> String {
    counted(n, "job")
}

/// `1 day`, `1,204 days`.
pub(crate) fn counted(n: u64, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{} {what}s", text::count(n)) }
}

/// `verb` as it stands after so many: `3 jobs run`, `1 job runs`.
pub(crate) fn verb(n: u64, verb: &str) -> String {
    if n == 1 { format!("{verb}s") } else { verb.to_owned() }
}

/// An answer sentence that fits its place.
pub(crate) fn answer(text: &str) -> String {
    text::escape_within(text, LONGEST_ANSWER)
}

/// What failed a job; a script that failed by itself has no entry of its own in some stories.
pub(crate) fn why_of_failure(row: &FailureRow) -> WhyAnswer {
    match (&row.report, row.is_system) {
        (Some(report), _) => WhyAnswer::of(report),
        (None, false) => WhyAnswer {
            slug: "script-failed".to_owned(),
            class: "script".to_owned(),
            who: "job".to_owned(),
            headline: "a script failed".to_owned(),
            next: "final".to_owned(),
            ..WhyAnswer::default()
        },
        (None, true) => WhyAnswer {
            slug: "unknown".to_owned(),
            class: "unknown".to_owned(),
            who: "not known".to_owned(),
            headline: "a system failure without a reported cause".to_owned(),
            next: "final".to_owned(),
            ..WhyAnswer::default()
        },
    }
}

/// A row of a list.
pub(crate) fn history_row(row: JobRow) -> HistoryRow {
    HistoryRow {
        id: row.id,
        state: row.state.into(),
        verdict: row.verdict.map(Into::into),
        name: row.name,
        project: row.project,
        git_ref: row.git_ref,
        host: row.host,
        image: row.image,
        size: row.size,
        is_spot: row.is_spot,
        slug: row.slug,
        headline: row.headline,
        received_ms: row.received_ms,
        started_in_ms: row.started_in_ms,
        lived_ms: row.lived_ms,
        cost_micro_usd: row.cost_micro_usd,
    }
}
