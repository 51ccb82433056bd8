//! When over the day starts are slow: a table of half hours and lengths, shaded by how many.
//!
//! Every cell has its number, so the shade says nothing that the text does not.

use fargate_model::half_hours::{HALF_HOUR_MS, HALF_HOURS_OF_DAY, shown_half_hours};
use fargate_status_answers::StartTimeAnswer;
use maud::{Markup, html};

use crate::number_text as number;
use crate::page_query::PageQuery;

/// Half hours of a day.
const COLUMNS: u8 = 48;

/// The lengths of the rows: words, and the range in an address.
const ROWS: [(&str, &str); 7] = [
    ("under 1 s", "0s..1s"),
    ("1-10 s", "1s..10s"),
    ("10-20 s", "10s..20s"),
    ("20-40 s", "20s..40s"),
    ("40-80 s", "40s..80s"),
    ("80-160 s", "80s..160s"),
    ("over 160 s", ">=160s"),
];

/// The shade of a number: six steps at 1, 2, 4, 8, 16, 32.
fn shade(starts: u64) -> u32 {
    starts.max(1).ilog2().min(5) + 1
}

/// One column: how many starts of each length.
fn column(answer: &StartTimeAnswer, half_hour: u8) -> [u64; 7] {
    let mut out = [0; 7];
    for cell in answer.heat_map.iter().filter(|cell| cell.half_hour == half_hour) {
        if let Some(row) = out.get_mut(usize::from(cell.row)) {
            *row += cell.starts;
        }
    }
    out
}

/// The row in which so many of 100 starts end, if there are at least `least`.
fn percentile_row(column: &[u64; 7], of_100: u64, least: u64) -> Option<usize> {
    let all: u64 = column.iter().sum();
    if all < least || all == 0 {
        return None;
    }
    let mut seen = 0;
    column.iter().position(|n| {
        seen += n;
        seen * 100 >= all * of_100
    })
}

/// The jobs of a cell: exactly those that it counts.
fn cell_query(
    answer: &StartTimeAnswer,
    query: &PageQuery,
    half_hour: u8,
    row: usize,
) -> Option<PageQuery> {
    let (first, end) = shown_half_hours(answer.from_ms, answer.to_ms)?;
    let of_day = u64::from(half_hour);
    let at = (first..end).find(|at| at % HALF_HOURS_OF_DAY == of_day)?;
    let from_ms = answer.from_ms.max(at * HALF_HOUR_MS);
    let to_ms = answer.to_ms.min((at + 1) * HALF_HOUR_MS);
    let query = query.without(&["last", "from", "to", "by"]).with("start", ROWS[row].1);
    let query = query.with("from", &number::url_moment_ms(from_ms));
    Some(query.with("to", &number::url_moment_ms(to_ms)))
}

/// The figure with its key.
pub(crate) fn heat_map(answer: &StartTimeAnswer, query: &PageQuery) -> Markup {
    let columns: Vec<_> = (0..COLUMNS).map(|it| column(answer, it)).collect();
    let has = |row: &usize| columns.iter().any(|column| column[*row] > 0);
    let rows: Vec<usize> = (0..ROWS.len()).collect();
    let (Some(first), Some(last)) =
        (rows.iter().copied().find(has), rows.iter().rev().copied().find(has))
    else {
        return html! { p.empty { "No start in this window." } };
    };
    html! {
        div.scroller tabindex="0" role="region" aria-label="Starts per half hour and length" {
            table.heat-map {
                caption.unseen { "Starts per half hour of the day, UTC, by how long they took" }
                tbody {
                    @for row in (first..=last).rev() {
                        tr {
                            th scope="row" { (ROWS[row].0) }
                            @for (half_hour, column) in (0..COLUMNS).zip(&columns) {
                                (cell(answer, query, half_hour, row, column))
                            }
                        }
                    }
                    tr.hours {
                        td {}
                        @for hour in (0..24).step_by(2) { th scope="col" colspan="4" { (format!("{hour:02}")) } }
                    }
                }
            }
        }
        (heat_key(answer))
    }
}

fn cell(
    answer: &StartTimeAnswer,
    query: &PageQuery,
    half_hour: u8,
    row: usize,
    column: &[u64; 7],
) -> Markup {
    let starts = column[row];
    let is_p50 = percentile_row(column, 50, 20) == Some(row);
    let is_p99 = percentile_row(column, 99, 100) == Some(row);
    if starts == 0 {
        return html! { td.zero { "." } };
    }
    let minutes = u32::from(half_hour) * 30;
    let when = format!("{:02}:{:02}", minutes / 60, minutes % 60);
    let title = format!("{when}, {}: {}", ROWS[row].0, number::counted(starts, "start", "starts"));
    let shown = if starts > 999 { "1k+".to_owned() } else { starts.to_string() };
    let inside = html! {
        (shown)
        @if is_p50 { span.percentile title="half of the starts of this half hour end here" { "o" } }
        @if is_p99 { span.percentile title="99 of 100 starts of this half hour end here" { "x" } }
    };
    html! {
        td.(format!("h{}", shade(starts))).p50[is_p50].p99[is_p99] {
            @match cell_query(answer, query, half_hour, row) {
                Some(jobs) => a href=(jobs.href("/history")) title=(title) { (inside) },
                None => span title=(title) { (inside) },
            }
        }
    }
}

fn heat_key(answer: &StartTimeAnswer) -> Markup {
    let later =
        shown_half_hours(answer.from_ms, answer.to_ms).map(|(first, _)| first * HALF_HOUR_MS);
    let later = later.filter(|first| *first > answer.from_ms);
    html! {
        p.heat-key {
            "Starts: "
            @for (step, words) in [(1, "1"), (2, "2"), (3, "4"), (4, "8"), (5, "16"), (6, "32+")] {
                span.(format!("h{step}")) { (words) } " "
            }
            span {
                "o half of them, x 99 of 100. In a window of a day, a cell leads to its jobs."
                @if let Some(first) = later { " The map begins at " (number::clock(first)) " UTC." }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shades_step_at_powers_of_two() {
        let shades: Vec<u32> = [1, 2, 3, 4, 7, 8, 16, 31, 32, 5000].map(shade).into();
        assert_eq!(shades, [1, 2, 2, 3, 3, 4, 5, 5, 6, 6]);
    }

    #[test]
    fn a_half_hour_with_few_starts_has_no_percentile() {
        assert_eq!(percentile_row(&[0, 0, 0, 10, 9, 0, 0], 50, 20), None);
        assert_eq!(percentile_row(&[0, 0, 0, 10, 10, 0, 0], 50, 20), Some(3));
        assert_eq!(percentile_row(&[0, 0, 0, 50, 49, 1, 0], 99, 100), Some(4));
        assert_eq!(percentile_row(&[0; 7], 50, 0), None);
    }

    #[test]
    fn a_cell_of_one_day_leads_to_its_half_hour() {
        // 2026-11-30T00:00:00Z, for a day.
        let from_ms = 1_795_996_800_000;
        let day_ms = 86_400_000;
        let answer =
            StartTimeAnswer { from_ms, to_ms: from_ms + day_ms, ..StartTimeAnswer::default() };
        let href = cell_query(&answer, &PageQuery::of("last=24h&project=a"), 28, 4).unwrap();
        let href = href.href("/history");
        assert_eq!(
            href,
            "/history?project=a&start=40s..80s&from=2026-11-30T14:00:00Z&to=2026-11-30T14:30:00Z"
        );
        // A window that moves begins and ends within a half hour.
        let (from_ms, to_ms) = (from_ms + 50_400_123, from_ms + 50_400_123 + day_ms);
        let moving = StartTimeAnswer { from_ms, to_ms, ..StartTimeAnswer::default() };
        let href = |half_hour| {
            let query = cell_query(&moving, &PageQuery::default(), half_hour, 6).unwrap();
            query.href("/history")
        };
        assert_eq!(
            href(28),
            "/history?start=%3E%3D160s&from=2026-12-01T14:00:00Z&to=2026-12-01T14:00:00.123Z"
        );
        assert_eq!(
            href(29),
            "/history?start=%3E%3D160s&from=2026-11-30T14:30:00Z&to=2026-11-30T15:00:00Z"
        );
        let week = StartTimeAnswer { to_ms: from_ms + 7 * day_ms, ..moving };
        assert_eq!(cell_query(&week, &PageQuery::default(), 28, 4), None);
    }
}
