//! Jobs that only the history knows, as `jobs list` and `jobs show` print them. Names of fields are never renamed.

use std::time::Duration;

use fargate_history::JobRow;
use fargate_job_journal::{JobState, JobVerdict};
use fargate_model::text::{escape, ticking};
use fargate_status_answers::{JobAnswer, JobVerdictWord};
use fargate_terminal::StateMark;
use serde_json::{Value, json};

/// The cells of the list: those of a job of this host, with the host in the note.
pub fn list_row(row: &JobRow, for_people: bool, now_ms: u64) -> Vec<String> {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let since_ms = since_ms(row);
    let (state, age) = match for_people {
        true => (state_words(row), ticking(Duration::from_millis(now_ms.saturating_sub(since_ms)))),
        false => (row.state.word().to_owned(), (since_ms / 1000).to_string()),
    };
    let note = match &row.headline {
        Some(headline) => format!("{headline} (on {})", row.host),
        None => format!("on {}", row.host),
    };
    vec![
        state,
        age,
        row.id.clone(),
        or_dash(row.project.clone()),
        "-".to_owned(),
        or_dash(row.size.clone()),
        note,
    ]
}

/// The same for programs.
pub fn document(row: &JobRow) -> Value {
    json!({
        "job": row.id,
        "key": row.key,
        "state": row.state.word(),
        "verdict": row.verdict,
        "since_unix_s": since_ms(row) / 1000,
        "project": row.project,
        "host": row.host,
        "tries": row.attempts,
        "cause": row.slug,
        "headline": row.headline,
    })
}

/// `jobs show` for programs.
pub fn show_document(answer: &JobAnswer) -> Value {
    json!({
        "job": answer.id,
        "key": answer.key,
        "state": answer.state,
        "verdict": answer.verdict,
        "host": answer.host,
        "history": answer,
    })
}

/// One line for each fact that a program may ask for.
pub fn show_tsv(answer: &JobAnswer) -> String {
    let document = show_document(answer);
    let line = |name: &str| {
        let value = document[name].as_str()?;
        Some(format!("{name}\t{}", escape(value)))
    };
    ["state", "verdict", "job", "key", "host"]
        .into_iter()
        .filter_map(line)
        .collect::<Vec<_>>()
        .join("\n")
}

/// When it ended; of a job that is not over, when it was received.
fn since_ms(row: &JobRow) -> u64 {
    match (row.state, row.lived_ms) {
        (JobState::Finished, Some(lived_ms)) => row.received_ms.saturating_add(lived_ms),
        _ => row.received_ms,
    }
}

fn state_words(row: &JobRow) -> String {
    let mark = match (row.verdict, row.state) {
        (Some(JobVerdict::Passed), _) => StateMark::Passed.symbol(false),
        (Some(JobVerdict::Failed), _) => StateMark::Failed.symbol(false),
        (Some(JobVerdict::SystemFailure), _) => StateMark::SystemFailure.symbol(false),
        (Some(JobVerdict::TimedOut), _) => "T",
        (Some(JobVerdict::Cancelled), _) => StateMark::Cancelled.symbol(false),
        (None, JobState::Starting) => StateMark::Starting.symbol(false),
        (None, JobState::Running) => StateMark::Running.symbol(false),
        (None, JobState::Stopping) => StateMark::Stopping.symbol(false),
        (None, JobState::Waiting | JobState::Finished) => " ",
    };
    let words = row.verdict.map_or(row.state.word(), |it| JobVerdictWord::from(it).words());
    format!("{mark} {words}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_how_a_job_ended_and_on_which_host() {
        let row = JobRow {
            key: "aaaa".to_owned(),
            id: "gl-7".to_owned(),
            host: "ci-2".to_owned(),
            state: JobState::Finished,
            verdict: Some(JobVerdict::SystemFailure),
            slug: Some("no-capacity".to_owned()),
            headline: Some("no Fargate capacity".to_owned()),
            received_ms: 1_000,
            lived_ms: Some(4_000),
            ..JobRow::default()
        };
        let state = format!("{} system failure", StateMark::SystemFailure.symbol(false));
        let age = ticking(Duration::from_secs(60));
        let note = "no Fargate capacity (on ci-2)";
        let expected = [state.as_str(), age.as_str(), "gl-7", "-", "-", "-", note];
        assert_eq!(list_row(&row, true, 65_000), expected);
        assert_eq!(list_row(&row, false, 65_000)[..2], ["finished", "5"]);
        let document = document(&row);
        assert_eq!(
            (&document["verdict"], &document["host"]),
            (&json!("system_failure"), &json!("ci-2"))
        );
    }
}
