//! Columns over time: jobs per stretch with failures at the base, and money per day in four parts.

use fargate_status_answers::{CostDay, HistoryAnswer, HistoryBucket};
use maud::{Markup, html};

use crate::number_text as number;
use crate::number_text::{length, part_of};

/// Jobs per stretch of time over the whole window; a stretch without jobs may be left out. Failures are the
/// filled base, the rest is hollow.
pub(crate) fn job_columns(answer: &HistoryAnswer, now_ms: u64) -> Markup {
    let buckets = &answer.buckets;
    let most = buckets.iter().map(|it| it.jobs).max().unwrap_or(0).max(1);
    let (from, to) = window(answer);
    let width = part_of(answer.bucket_ms, to - from) * 0.72;
    html! {
        div.columns {
            svg.column-chart width="100%" height="72" role="img" focusable="false"
                aria-label=(spoken_shape(buckets, answer.bucket_ms))
                data-columns-from=(from) data-columns-to=(to) {
                line.axis x1="0" x2="100%" y1="71.5" y2="71.5" {}
                @for it in buckets {
                    @let (all, failed) = (height(it.jobs, most), height(it.failed, most));
                    @let x = length(part_of(it.at_ms.saturating_sub(from), to - from));
                    @if it.jobs > 0 {
                        rect.all x=(x) width=(length(width)) y=(71 - all) height=(all) {
                            title { (number::moment(it.at_ms, now_ms)) ": " (number::counted(it.jobs, "job", "jobs"))
                                ", " (number::count(it.failed)) " failed" }
                        }
                    }
                    @if it.failed > 0 {
                        rect.failed x=(x) width=(length(width)) y=(71 - failed) height=(failed) {}
                    }
                }
            }
            div.column-ends aria-hidden="true" {
                span { (crate::name_text::short_time(from, now_ms)) }
                span { "at most " (number::count(most)) " per " (bucket_word(answer.bucket_ms)) }
                span { (crate::name_text::short_time(to, now_ms)) }
            }
        }
    }
}

/// The window in whole stretches; never empty.
fn window(answer: &HistoryAnswer) -> (u64, u64) {
    let first = answer.buckets.first().map_or(answer.from_ms, |it| it.at_ms.min(answer.from_ms));
    let last = answer.buckets.last().map_or(answer.to_ms, |it| it.at_ms + answer.bucket_ms);
    (first, last.max(answer.to_ms).max(first + 1))
}

/// Pixels of a column of at most 68; one job is seen however many others there are.
fn height(n: u64, most: u64) -> u64 {
    (n * 68 / most).max(u64::from(n > 0) * 2)
}

fn bucket_word(bucket_ms: u64) -> String {
    match bucket_ms / 60_000 {
        0 => "stretch".to_owned(),
        1 => "minute".to_owned(),
        minutes @ 2..60 => format!("{minutes} min"),
        60 => "hour".to_owned(),
        minutes => format!("{} h", minutes / 60),
    }
}

fn spoken_shape(buckets: &[HistoryBucket], bucket_ms: u64) -> String {
    let jobs: u64 = buckets.iter().map(|it| it.jobs).sum();
    let failed: u64 = buckets.iter().map(|it| it.failed).sum();
    format!(
        "Jobs per {}: {}, {} failed",
        bucket_word(bucket_ms),
        number::counted(jobs, "job", "jobs"),
        number::count(failed)
    )
}

/// The parts of a day's cost: words, class, fill.
const COST_PARTS: [(&str, &str, &str); 4] = [
    ("script and stages", "o-job", "currentColor"),
    ("start", "o-aws", "url(#p-net)"),
    ("idle", "o-stop", "url(#p-idle)"),
    ("failed starts", "o-fail", "url(#p-lost)"),
];

fn parts(day: &CostDay) -> [u64; 4] {
    [day.script_micro_usd, day.start_micro_usd, day.idle_micro_usd, day.failed_micro_usd]
}

/// Money per day. The same as a table for who would rather read.
pub(crate) fn cost_columns(days: &[CostDay]) -> Markup {
    let days = &without_gaps(days);
    let most = days.iter().map(|day| parts(day).iter().sum::<u64>()).max().unwrap_or(0).max(1);
    let width = 100.0 / f64::from(u32::try_from(days.len().max(1)).unwrap_or(1));
    // Not wider than a thumb: one day is a column, not a wall.
    let width = width.min(8.0);
    html! {
        ul.owner-key aria-label="Parts of a column" {
            @for (words, class, fill) in COST_PARTS {
                li { svg width="22" height="12" aria-hidden="true" {
                    rect.(class) x="0.5" y="0.5" width="21" height="11" fill=(fill) {} } (words) }
            }
        }
        div.cost-figure {
        ul.scale aria-hidden="true" {
            @for share in [100, 50, 0] { li { (number::money(most * share / 100)) } }
        }
        svg.column-chart.cost-chart width="100%" height="180" aria-hidden="true" focusable="false" {
            @for (at, day) in days.iter().enumerate() {
                @let x = width * f64::from(u32::try_from(at).unwrap_or(0)) + width * 0.15;
                (cost_column(day, x, width * 0.7, most))
                @if at.is_multiple_of(label_every(days.len())) {
                    // Every second one is left out where there is little room.
                    @let is_minor = (at / label_every(days.len())) % 2 == 1;
                    text.minor[is_minor] x=(length(x)) y="172" { (number::day_text(day.at_ms)) }
                }
            }
            @for y in [10, 82, 154] { line.tick x1="0" x2="100%" y1=(y) y2=(y) {} }
        }
        }
        (cost_table(days))
    }
}

/// The days with those between them that cost nothing; at most a year.
fn without_gaps(days: &[CostDay]) -> Vec<CostDay> {
    const DAY_MS: u64 = 86_400_000;
    let (Some(first), Some(last)) = (days.first(), days.last()) else { return Vec::new() };
    let count = last.at_ms.saturating_sub(first.at_ms) / DAY_MS;
    let moments = (0..=count.min(366)).map(|n| first.at_ms + n * DAY_MS);
    let day = |at_ms| days.iter().find(|day| day.at_ms == at_ms).cloned();
    moments.map(|at_ms| day(at_ms).unwrap_or(CostDay { at_ms, ..CostDay::default() })).collect()
}

fn label_every(days: usize) -> usize {
    days.div_ceil(8).max(1)
}

fn cost_column(day: &CostDay, x: f64, width: f64, most: u64) -> Markup {
    let mut below = 0.0;
    let bars = parts(day).map(|micro_usd| {
        let height = part_of(micro_usd, most) * 1.44;
        below += height;
        (154.0 - below, height)
    });
    html! {
        @for ((_, class, fill), (y, height)) in COST_PARTS.iter().zip(bars) {
            @if height > 0.0 {
                rect.(class) x=(length(x)) width=(length(width)) y=(format!("{y:.1}"))
                    height=(format!("{height:.1}")) fill=(fill) {}
            }
        }
    }
}

fn cost_table(days: &[CostDay]) -> Markup {
    html! {
        details {
            summary { "Show as table" }
            div.scroller tabindex="0" {
                table.rows.plain {
                    thead { tr { th scope="col" { "Day" }
                        @for (words, _, _) in COST_PARTS { th.number scope="col" { (words) ", estimate" } } } }
                    tbody { @for day in days { tr { th scope="row" { (number::day_text(day.at_ms)) }
                        @for micro_usd in parts(day) { td.number { (number::money(micro_usd)) } } } } }
                }
            }
        }
    }
}
