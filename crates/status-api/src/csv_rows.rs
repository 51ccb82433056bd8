//! Rows of jobs and of costs as CSV.
//!
//! Names come from jobs. A spreadsheet takes a text that begins with `=`, `+`, `-` or `@` for a formula, so
//! such a text gets an apostrophe before it.

use fargate_model::text::plain_dollars;
use fargate_status_answers::{CostAnswer, HistoryRow};

const HEAD: &str = "id,state,verdict,name,project,ref,host,image,size,spot,cause,headline,received_utc,\
                    started_in_ms,lived_ms,estimated_cost_usd\r\n";

/// The head line.
#[must_use]
pub fn csv_head() -> String {
    HEAD.to_owned()
}

/// The rows without a head line.
#[must_use]
pub fn csv_of(rows: &[HistoryRow]) -> String {
    let mut csv = String::new();
    for row in rows {
        let number = |n: Option<u64>| n.map(|n| n.to_string()).unwrap_or_default();
        let state = word(&row.state);
        let verdict = row.verdict.map(|verdict| word(&verdict)).unwrap_or_default();
        let fields = [
            field(&row.id),
            state,
            verdict,
            optional(&row.name),
            optional(&row.project),
            optional(&row.git_ref),
            field(&row.host),
            optional(&row.image),
            optional(&row.size),
            row.is_spot.to_string(),
            optional(&row.slug),
            optional(&row.headline),
            crate::clock::moment(row.received_ms),
            number(row.started_in_ms),
            number(row.lived_ms),
            row.cost_micro_usd.map(plain_dollars).unwrap_or_default(),
        ];
        csv.push_str(&fields.join(","));
        csv.push_str("\r\n");
    }
    csv
}

/// The groups of an answer about costs. All sums are estimates.
#[must_use]
pub fn csv_of_costs(answer: &CostAnswer) -> String {
    let mut csv = format!(
        "{},jobs,estimated_cost_usd,estimated_start_usd,estimated_idle_usd,estimated_failed_starts_usd,\
         spot_share\r\n",
        answer.by
    );
    for group in &answer.groups {
        let fields = [
            field(&group.name),
            group.jobs.to_string(),
            plain_dollars(group.cost_micro_usd),
            plain_dollars(group.start_micro_usd),
            plain_dollars(group.idle_micro_usd),
            plain_dollars(group.failed_micro_usd),
            format!("{:.4}", group.spot_share),
        ];
        csv.push_str(&fields.join(","));
        csv.push_str("\r\n");
    }
    csv
}

/// A state or verdict as JSON spells it.
fn word(value: &impl serde::Serialize) -> String {
    let text = serde_json::to_value(value).ok();
    text.and_then(|text| text.as_str().map(str::to_owned)).unwrap_or_default()
}

fn optional(text: &Option<String>) -> String {
    text.as_deref().map(field).unwrap_or_default()
}

fn field(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if is_formula { format!("'{text}") } else { text.to_owned() };
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_no_formula_and_breaks_no_row() {
        assert_eq!(field("=1+1"), "'=1+1");
        assert_eq!(field("a,\"b\"\nc"), "\"a,\"\"b\"\"\nc\"");
        let row = HistoryRow { name: Some("a\r\nb".to_owned()), ..HistoryRow::default() };
        let csv = csv_head() + &csv_of(&[row]);
        assert_eq!(csv.lines().next().unwrap().split(',').count(), 16);
        assert!(csv.contains("\"a\r\nb\""));
    }
}
