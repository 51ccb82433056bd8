//! The page of starts: how long until a job can begin, and which part is to blame.

use fargate_status_answers::{ImageStarts, PhaseStatistics, StartTimeAnswer};
use maud::{Markup, html};

use crate::frame::PageFrame;
use crate::heat_map::heat_map;
use crate::history_filters::{is_filtered, menu_for, notices, window_links};
use crate::name_text as text;
use crate::now_page::answer_line;
use crate::number_text as number;
use crate::page_query::PageQuery;
use crate::patterns::{fill_of, owner_class};
use crate::timeline::phase_key;

const PATH: &str = "/start-time";
/// Fewer starts have no percentile.
const LEAST_STARTS: u64 = 20;

/// The page of starts.
#[must_use]
pub fn start_time_page(answer: &StartTimeAnswer, frame: &PageFrame) -> String {
    let query = frame.page_query();
    let content = html! {
        h1.unseen { "Start time" }
        (answer_line(&answer.answer, false))
        (controls(answer, &query))
        (notices(&answer.notices))
        @if answer.starts == 0 {
            (no_starts(&query))
        } @else {
            @if answer.starts < LEAST_STARTS { (few_starts(answer)) }
            @else { (phases(answer)) }
            section aria-labelledby="day-title" {
                h2 id="day-title" { "When over the day" span.note { " starts per half hour, UTC, by how long they took" } }
                (heat_map(answer, &query))
            }
            (images(&answer.by_image))
        }
    };
    frame.render("start-time", "Start time", &answer.answer, &content)
}

fn controls(answer: &StartTimeAnswer, query: &PageQuery) -> Markup {
    let plain = |names: &'_ [String]| {
        names.iter().map(|name| (name.clone(), None::<u64>)).collect::<Vec<_>>()
    };
    let menu = |key: &str, many: &str, names: &[String]| {
        let choices = plain(names);
        menu_for(key, many, query, PATH, choices.iter().map(|(name, n)| (name.as_str(), *n)))
    };
    html! {
        div.filter-row data-view-from=(answer.from_ms) data-view-to=(answer.to_ms) {
            (window_links(query, PATH))
            div.menus {
                (menu("image", "images", &answer.images))
                (menu("size", "sizes", &answer.sizes))
                (menu("project", "projects", &answer.projects))
                (spot_menu(query, PATH))
            }
        }
    }
}

/// On demand, Spot, or both.
pub(crate) fn spot_menu(query: &PageQuery, path: &str) -> Markup {
    menu_for("spot", "jobs", query, path, [("yes", None), ("no", None)].into_iter())
}

fn no_starts(query: &PageQuery) -> Markup {
    html! {
        p.empty {
            @if is_filtered(query) {
                "No start matches these filters. " a href=(PATH) { "Clear filters" }
            } @else {
                "Needs 20 starts to say something true; there are 0. Until then, see "
                a href="/history" { "each job" } ". To run one:"
            }
        }
        @if !is_filtered(query) { (text::command("fargate-runner exec -- echo hello")) }
    }
}

fn few_starts(answer: &StartTimeAnswer) -> Markup {
    html! {
        p.empty {
            "Needs 20 starts to say something true; there are " (number::count(answer.starts))
            @if let (Some(least), Some(most)) = (answer.least_ms, answer.most_ms) {
                ", from " (number::duration(least)) " to " (number::duration(most))
            }
            ". Until then, see " a href="/history" { "each job" } "."
        }
    }
}

fn phases(answer: &StartTimeAnswer) -> Markup {
    html! {
        section aria-labelledby="phases-title" {
            h2 id="phases-title" { "Phases" }
            table.rows.phases {
                thead { tr {
                    th scope="col" { "Owner" } th scope="col" { "Phase" }
                    th.number scope="col" { "Half of them" } th.number scope="col" { "90 of 100" }
                    th.number scope="col" { "99 of 100" }
                    th.col-share scope="col" { "Share of the median start" } th scope="col" { "Week before" }
                } }
                tbody { @for phase in &answer.phases { (phase_row(phase)) } }
            }
        }
    }
}

fn phase_row(phase: &PhaseStatistics) -> Markup {
    let change = match (phase.p50_ms, phase.week_before_p50_ms) {
        (Some(now), Some(before)) => Some(number::slower(now, before)),
        _ => None,
    };
    html! {
        tr {
            td.owner { span.owner.(owner_class(&phase.owner)) { (text::plain_name(&phase.owner)) } }
            th scope="row" { (text::name(&phase.label)) }
            td.number data-label="half of them" { (text::length_of(phase.p50_ms)) }
            td.number data-label="90 of 100" { (text::length_of(phase.p90_ms)) }
            td.number data-label="99 of 100" { (text::length_of(phase.p99_ms)) }
            td.share {
                @if let Some(share) = phase.share { div {
                    svg.share-bar width="100%" height="14" aria-hidden="true" {
                        rect.(owner_class(&phase.owner)) x="0" y="0.5" height="13"
                            width=(number::length((share * 100.0).clamp(0.4, 100.0)))
                            fill=(fill_of(phase_key(phase.phase))) {}
                    }
                    span.share-number { (number::percent(share)) }
                } } @else { span.none { "too few starts" } }
            }
            td.change data-label="week before" {
                @match &change {
                    Some(change) if change.ends_with("slower") => span.slow { (change) },
                    Some(change) => { (change) }
                    None => span.none { "-" },
                }
            }
        }
    }
}

fn images(images: &[ImageStarts]) -> Markup {
    if images.is_empty() {
        return html! {};
    }
    html! {
        section aria-labelledby="images-title" {
            h2 id="images-title" { "By image" }
            table.rows.by-image {
                thead { tr {
                    th scope="col" { "Image" } th.number scope="col" { "Starts" }
                    th.number scope="col" { "Half of them" } th.number scope="col" { "90 of 100" }
                    th.number scope="col" { "Compressed" } th scope="col" { "What slows it" }
                } }
                tbody {
                    @for image in images {
                        tr {
                            th scope="row" { (text::name(&image.image))
                                @if let Some(digest) = &image.digest { " " (text::short_id(digest)) } }
                            td.number data-label="starts" { (number::count(image.starts)) }
                            td.number data-label="half of them" { (text::length_of(image.p50_ms)) }
                            td.number data-label="90 of 100" { (text::length_of(image.p90_ms)) }
                            td.number data-label="compressed" {
                                @match image.compressed_bytes { Some(n) => (text::bytes(n)), None => span.none { "-" } } }
                            td.levers { @if image.levers.is_empty() { span.none { "-" } }
                                @else { (text::sentence(&image.levers.join("; "))) } }
                        }
                    }
                }
            }
        }
    }
}
