//! The three lists of the page of now: what waits, what starts, what runs. A row is a job.

use fargate_status_answers::{NowAnswer, RunningRow, StartingRow, WaitingRow};
use maud::{Markup, html};

use crate::frame::PageFrame;
use crate::name_text as text;
use crate::number_text as number;
use crate::strip::phase_strip;

/// Running jobs that are shown before somebody asks for all.
const SHOWN_RUNNING: usize = 10;
/// After so long a wait without a cause is said to have none.
const SILENT_AFTER_MS: u64 = 15_000;

/// A list with its head. New rows wait behind the button until the reader wants them.
fn list(id: &str, title: &str, count: u64, empty: &str, table: Option<Markup>) -> Markup {
    html! {
        section.list id=(id) data-list=(id) aria-labelledby=(format!("{id}-title")) {
            div.section-head {
                h2 id=(format!("{id}-title")) { (title) " " span.count data-live=(format!("{id}-count")) { (number::count(count)) } }
                button.news.scripted type="button" data-news hidden {}
            }
            div data-body {
                @match table {
                    Some(table) => (table),
                    None => p.empty { (empty) },
                }
            }
        }
    }
}

fn job_cell(id: &str, name: Option<&str>) -> Markup {
    html! {
        th.job scope="row" data-label="Job" {
            a.row-link href=(text::job_href(id)) title=(text::plain_name(id)) { (text::name(name.unwrap_or(id))) }
        }
    }
}

pub(crate) fn waiting_list(answer: &NowAnswer, frame: &PageFrame) -> Markup {
    let table = (!answer.waiting.is_empty()).then(|| {
        html! {
            table.rows.waiting {
                thead { tr {
                    th.number.col-for scope="col" { "For" } th scope="col" { "Job" }
                    th scope="col" { "Project" } th scope="col" { "Size" }
                    th.col-why scope="col" { "Why" } th scope="col" { "Tried" }
                } }
                tbody data-roving {
                    @for row in &answer.waiting { (waiting_row(row, frame.at_ms)) }
                }
            }
        }
    });
    list("waiting", "Waiting", answer.counts.waiting, "Nothing waits.", table)
}

fn waiting_row(row: &WaitingRow, now_ms: u64) -> Markup {
    html! {
        tr data-row=(row.id) {
            td.number.for { (text::ticking_age(row.since_ms, now_ms)) }
            (job_cell(&row.id, row.name.as_deref()))
            td.project data-label="Project" { (text::name_or_dash(row.project.as_deref())) }
            td.size data-label="Size" { (text::name_or_dash(row.size.as_deref())) }
            td.why-cell { (waiting_why(row, now_ms)) }
            td.next-cell { (waiting_tries(row)) }
        }
    }
}

fn waiting_why(row: &WaitingRow, now_ms: u64) -> Markup {
    let waited = now_ms.saturating_sub(row.since_ms);
    html! {
        @match (&row.why, &row.waits_for) {
            (Some(why), _) => a.why-link href=(format!("{}#why", text::job_href(&row.id))) {
                (text::name_within(&text::title_case(&why.headline), 90))
            },
            (None, Some(what)) => { (text::title_case(what)) }
            (None, None) if waited >= SILENT_AFTER_MS => { "ECS gives no reason yet (" (number::ticking(waited)) ")" }
            (None, None) => { "Received " (number::ticking(waited)) " ago" }
        }
    }
}

fn waiting_tries(row: &WaitingRow) -> Markup {
    html! {
        @if row.tries > 0 { (number::counted(row.tries, "try", "tries")) " so far" }
        @else { span.none { "-" } }
    }
}

pub(crate) fn starting_list(answer: &NowAnswer, frame: &PageFrame) -> Markup {
    let table = (!answer.starting.is_empty()).then(|| {
        html! {
            table.rows.starting {
                thead { tr {
                    th.number.col-for scope="col" { "For" } th scope="col" { "Job" }
                    th scope="col" { "Project" } th scope="col" { "Size" }
                    th.col-strip scope="col" { span.unseen { "Phases" } } th.col-phase scope="col" { "Phase" }
                } }
                tbody data-roving {
                    @for row in &answer.starting { (starting_row(row, frame.at_ms)) }
                }
            }
        }
    });
    list("starting", "Starting", answer.counts.starting, "Nothing starts.", table)
}

fn starting_row(row: &StartingRow, now_ms: u64) -> Markup {
    let in_phase = now_ms.saturating_sub(row.phase_since_ms);
    let is_slow = row.usual_ms.is_some_and(|usual| in_phase * 2 >= usual * 3 && in_phase > usual);
    html! {
        tr data-row=(row.id) {
            td.number.for { (text::ticking_age(row.since_ms, now_ms)) }
            (job_cell(&row.id, row.name.as_deref()))
            td.project data-label="Project" { (text::name_or_dash(row.project.as_deref())) }
            td.size data-label="Size" { (text::name_or_dash(row.size.as_deref())) }
            td.strip-cell { (phase_strip(&row.strip, true)) }
            td.phase-cell {
                (text::name(&row.phase)) " " (text::ticking_age(row.phase_since_ms, now_ms))
                @if let Some(usual) = row.usual_ms {
                    @if is_slow { ", " span.slow { "slow: usual " (number::ticking(usual)) } }
                    @else { ", usual " (number::ticking(usual)) }
                }
            }
        }
    }
}

pub(crate) fn running_list(answer: &NowAnswer, frame: &PageFrame) -> Markup {
    let shows_all = frame.page_query().get("show") == Some("all");
    let shown = if shows_all { answer.running.len() } else { SHOWN_RUNNING };
    let hidden = answer.running.len().saturating_sub(shown);
    let table = (!answer.running.is_empty()).then(|| {
        html! {
            table.rows.running {
                thead { tr {
                    th.number.col-for scope="col" { "For" } th scope="col" { "Job" }
                    th scope="col" { "Project" } th.col-stage scope="col" { "Stage" }
                    th.number scope="col" { "Started in" } th.number scope="col" { "Cost, estimate" }
                } }
                tbody data-roving {
                    @for row in answer.running.iter().take(shown) { (running_row(row, frame.at_ms)) }
                }
            }
            @if hidden > 0 {
                p.more { a href=(frame.page_query().with("show", "all").href("/")) {
                    "Show all " (number::count(answer.running.len() as u64))
                } }
            }
        }
    });
    list("running", "Running", answer.counts.running, "Nothing runs.", table)
}

fn running_row(row: &RunningRow, now_ms: u64) -> Markup {
    html! {
        tr data-row=(row.id) {
            td.number.for { (text::ticking_age(row.since_ms, now_ms)) }
            (job_cell(&row.id, row.name.as_deref()))
            td.project data-label="Project" { (text::name_or_dash(row.project.as_deref())) }
            td.stage data-label="Stage" {
                (text::name_or_dash(row.stage.as_deref()))
                @if let Some(since) = row.stage_since_ms { " " (text::ticking_age(since, now_ms)) }
            }
            td.number data-label="Started in" { (text::length_of(row.started_in_ms)) }
            td.number data-label="Cost, estimate" { (text::money(row.cost_micro_usd)) }
        }
    }
}
