//! The page of the past: whether this has happened before, to whom, and since when.

use fargate_status_answers::{CauseGroup, HistoryAnswer, HistoryRow};
use maud::{Markup, html};

use crate::columns::job_columns;
use crate::filter_text::filter_text;
use crate::frame::PageFrame;
use crate::history_filters::{cleared, history_filters, is_filtered, notices};
use crate::name_text as text;
use crate::now_page::answer_line;
use crate::number_text as number;
use crate::page_query::PageQuery;
use crate::state_mark::MarkKind;
use crate::why_card::cause_href;

/// Sizes of a page.
const PAGE_SIZES: [&str; 3] = ["50", "100", "200"];

/// The page of the past.
#[must_use]
pub fn history_page(answer: &HistoryAnswer, frame: &PageFrame) -> String {
    let query = frame.page_query().with_text_read();
    let has_none = answer.all == 0 && answer.rows.is_empty() && !is_filtered(&query);
    let content = html! {
        h1.unseen { "History" }
        (answer_line(&answer.answer, false))
        (history_filters(answer, &query))
        (notices(&answer.notices))
        @if has_none {
            p.empty { "No finished job yet. The first one appears here when it ends." }
            (text::command("fargate-runner exec -- echo hello"))
        } @else if answer.rows.is_empty() && answer.groups.is_none() {
            (nothing_matches(answer, &query))
        } @else {
            section.shape data-live="shape" {
                h2 { "Jobs over time" span.note { " failures at the base" } }
                (job_columns(answer, frame.at_ms))
            }
            @if let Some(groups) = &answer.groups {
                (causes(groups, &query))
            } @else {
                (job_list(answer, &query, frame.at_ms))
                (paging(answer, &query))
            }
        }
    };
    frame.render("history", "History", &answer.answer, &content)
}

fn nothing_matches(answer: &HistoryAnswer, query: &PageQuery) -> Markup {
    let pairs: Vec<_> = query.pairs().into_iter().cloned().collect();
    html! {
        p.empty id="count" tabindex="-1" {
            @if is_filtered(query) {
                "No job matches " code { bdi { (text::sentence(&filter_text(&pairs))) } }
                @if let Some(filter) = &answer.removable {
                    ". Without " code { (text::plain_name(&filter.key)) } " there are "
                    (number::count(filter.jobs)) ". "
                    a href=(query.without(&[filter.key.as_str(), "after", "before"]).href("/history")) { "Remove it" } " "
                } @else {
                    ". Without the filter there are " (number::count(answer.all)) ". "
                }
                a href=(cleared(query).href("/history")) { "Clear all" }
            } @else {
                "No job in this window. " a href=(query.without(&["from", "to"]).with("last", "30d").href("/history")) { "Show 30 days" }
            }
        }
    }
}

/// How many jobs each cause has; each leads to its jobs.
fn causes(groups: &[CauseGroup], query: &PageQuery) -> Markup {
    let href = |slug: &str| query.without(&["group", "after", "before"]).with("cause", slug);
    html! {
        section aria-labelledby="causes-title" {
            h2 id="causes-title" { "By cause" }
            @if groups.is_empty() { p.empty { "No cause in this window." } }
            @else {
                table.rows.plain {
                    thead { tr { th scope="col" { "Cause" } th.number scope="col" { "Jobs" } } }
                    tbody {
                        @for group in groups {
                            tr {
                                th scope="row" { (text::name_within(&text::title_case(&group.headline), 90)) " "
                                    a.slug href=(cause_href(&group.slug)) title="What this cause means" { (text::plain_name(&group.slug)) } }
                                td.number { a href=(href(&group.slug).href("/history")) { (number::counted(group.jobs, "job", "jobs")) } }
                            }
                        }
                    }
                }
            }
            p { a href=(query.without(&["group"]).href("/history")) { "Show the jobs" } }
        }
    }
}

fn job_list(answer: &HistoryAnswer, query: &PageQuery, now_ms: u64) -> Markup {
    html! {
        section.list id="jobs" data-list="jobs" aria-labelledby="jobs-title" {
            div.section-head {
                h2 id="jobs-title" { "Jobs " span.count id="count" tabindex="-1" data-live="jobs-count" {
                    (total(answer)) } }
                button.news.scripted type="button" data-news hidden {}
            }
            div data-body {
                table.rows.history {
                    thead { tr {
                        th.col-mark scope="col" { span.unseen { "Verdict" } }
                        (sort_head("started", "Started", query, false))
                        th scope="col" { "Job" } th scope="col" { "Project" }
                        th.col-why scope="col" { "Why or verdict" }
                        (sort_head("start", "Start", query, true))
                        (sort_head("lived", "Lived", query, true))
                        (sort_head("cost", "Cost, estimate", query, true))
                    } }
                    tbody data-roving { @for row in &answer.rows { (job_row(row, now_ms)) } }
                }
            }
        }
    }
}

fn total(answer: &HistoryAnswer) -> String {
    if answer.is_more {
        format!("more than {}", number::count(answer.total))
    } else {
        number::count(answer.total)
    }
}

/// A head that sorts: first falling, then rising.
fn sort_head(key: &str, words: &str, query: &PageQuery, is_number: bool) -> Markup {
    let sort = query.get("sort").unwrap_or("-started");
    let (falling, rising) = (format!("-{key}"), key.to_owned());
    let (order, next) = match sort {
        sort if sort == falling => (Some("descending"), rising),
        sort if sort == key => (Some("ascending"), falling),
        _ => (None, falling),
    };
    let next = if next == "-started" { String::new() } else { next };
    let href = query.without(&["after", "before"]).with("sort", &next).href("/history");
    html! {
        th.number[is_number] scope="col" aria-sort=[order] {
            a.sort href=(href) { (words)
                @match order { Some("ascending") => { span.arrow aria-hidden="true" { "\u{2191}" } }
                    Some(_) => { span.arrow aria-hidden="true" { "\u{2193}" } } None => {} }
            }
        }
    }
}

fn job_row(row: &HistoryRow, now_ms: u64) -> Markup {
    let kind = MarkKind::of(row.state, row.verdict);
    html! {
        tr data-row=(row.id) {
            td.mark-cell { (kind.shape_only()) }
            td.when { (text::time(row.received_ms, now_ms)) }
            th.job scope="row" {
                a.row-link href=(text::job_href(&row.id)) title=(text::plain_name(&row.id)) {
                    (text::name(row.name.as_deref().unwrap_or(&row.id))) }
            }
            td.project { (text::name_or_dash(row.project.as_deref())) }
            td.why-cell {
                @match &row.headline {
                    Some(headline) => (text::name_within(&text::title_case(headline), 90)),
                    None => { (kind.word()) }
                }
            }
            td.number data-label="Start" { (text::length_of(row.started_in_ms)) }
            td.number data-label="Lived" { (text::length_of(row.lived_ms)) }
            td.number data-label="Cost" { (text::money(row.cost_micro_usd)) }
        }
    }
}

fn paging(answer: &HistoryAnswer, query: &PageQuery) -> Markup {
    let bare = query.without(&["after", "before"]);
    let data = |format: &str| bare.with("format", format).href("/api/v1/jobs");
    let per = query.get("per").unwrap_or("50");
    html! {
        nav.paging aria-label="Pages of the list" {
            @match &answer.previous {
                Some(before) => a.button href=(bare.with("before", before).href("/history")) rel="prev" { "Newer" },
                None => span.button.off { "Newer" },
            }
            span { (number::count(answer.rows.len() as u64)) " of " (total(answer)) }
            @match &answer.next {
                Some(after) => a.button href=(bare.with("after", after).href("/history")) rel="next" { "Older" },
                None => span.button.off { "Older" },
            }
            span.per { "per page "
                @for size in PAGE_SIZES {
                    a href=(bare.with("per", if size == "50" { "" } else { size }).href("/history"))
                        aria-current=[(per == size).then_some("true")] { (size) } " "
                }
            }
            span.downloads { "Download: " a href=(data("csv")) download { "CSV" } " " a href=(data("")) download { "JSON" } }
        }
    }
}
