//! The filters of a page: one text, boxes and menus that edit the same address, and the window of time.
//!
//! Boxes and menus are links, so they work without a script.

use fargate_status_answers::HistoryAnswer;
use maud::{Markup, html};

use crate::filter_text::{FILTER_KEYS, filter_text};
use crate::name_text as text;
use crate::number_text as number;
use crate::page_query::PageQuery;
use crate::state_mark::MarkKind;

/// Verdicts with their spelling in an address.
pub(crate) const VERDICTS: [(MarkKind, &str); 5] = [
    (MarkKind::Failed, "failed"),
    (MarkKind::SystemFailure, "system"),
    (MarkKind::TimedOut, "timed_out"),
    (MarkKind::Cancelled, "cancelled"),
    (MarkKind::Passed, "passed"),
];

/// Windows of time with their words.
pub(crate) const WINDOWS: [(&str, &str); 4] =
    [("1h", "1 hour"), ("24h", "24 hours"), ("7d", "7 days"), ("30d", "30 days")];

/// The parameters that a change of filter makes meaningless.
const PAGING: [&str; 2] = ["after", "before"];

/// Whether anything narrows the list.
pub(crate) fn is_filtered(query: &PageQuery) -> bool {
    query.has_any(&FILTER_KEYS) || query.get("q").is_some()
}

/// The query without any filter.
pub(crate) fn cleared(query: &PageQuery) -> PageQuery {
    query.without(&FILTER_KEYS).without(&["q"]).without(&PAGING)
}

/// How many filters are set.
fn filter_count(query: &PageQuery) -> usize {
    FILTER_KEYS.iter().chain(&["q"]).filter(|key| query.get(key).is_some()).count()
}

/// The form with the text, and what edits it by clicks.
pub(crate) fn history_filters(answer: &HistoryAnswer, query: &PageQuery) -> Markup {
    let pairs: Vec<_> = query.pairs().into_iter().cloned().collect();
    let written = filter_text(&pairs);
    let kept = cleared(query);
    let n = filter_count(query);
    html! {
        form.filter action="/history" method="get" role="search" aria-label="Filter" {
            label.unseen for="filter" { "Filter: key:value or words" }
            input id="filter" type="text" name="q" value=(text::sentence(&written)) autocomplete="off"
                spellcheck="false" maxlength="2000" placeholder="project:acme/web verdict:failed";
            @for (key, value) in kept.pairs() { input type="hidden" name=(key) value=(value); }
            button.primary type="submit" { "Apply" }
            @if n > 0 { a.button href=(kept.href("/history")) { "Clear" } }
        }
        div.filter-row data-view-from=(answer.from_ms) data-view-to=(answer.to_ms) {
            (window_links(query, "/history"))
            @if query.get("window") == Some("ended") {
                a href=(query.without(&PAGING).with("window", "").href("/history"))
                    title="Show the jobs that were received in this time" { "Ended in this time" }
            }
            details.filters {
                summary { "Filters" @if n > 0 { " " span.count { (n) } } }
                div.filter-body {
                    (verdict_boxes(query))
                    div.menus {
                        (menu("cause", "causes", query, answer.causes.iter().map(|(slug, n)| (slug.as_str(), Some(*n)))))
                        (menu("project", "projects", query, plain(&answer.projects)))
                        (menu("image", "images", query, plain(&answer.images)))
                        (menu("size", "sizes", query, plain(&answer.sizes)))
                        (menu("host", "hosts", query, plain(&answer.hosts)))
                    }
                }
            }
            a.link-to-view href=(fixed_window(query, answer.from_ms, answer.to_ms).href("/history")) data-copy-link {
                "Link to this view"
            }
        }
    }
}

fn plain(names: &[String]) -> impl Iterator<Item = (&str, Option<u64>)> {
    names.iter().map(|name| (name.as_str(), None))
}

/// The query with the window as two moments, so that it stays what it is.
fn fixed_window(query: &PageQuery, from_ms: u64, to_ms: u64) -> PageQuery {
    if from_ms == 0 && to_ms == 0 {
        return query.clone();
    }
    let fixed = query.without(&["last"]).with("from", &number::url_moment(from_ms));
    fixed.with("to", &number::url_moment(to_ms))
}

/// The windows as links.
pub(crate) fn window_links(query: &PageQuery, path: &str) -> Markup {
    let is_fixed = query.get("from").is_some();
    let chosen = query.get("last").unwrap_or("24h");
    html! {
        nav.segments aria-label="Window of time" data-window {
            @for (value, words) in WINDOWS {
                @let is_here = !is_fixed && chosen == value;
                @let value = if value == "24h" { "" } else { value };
                a href=(query.without(&["from", "to"]).without(&PAGING).with("last", value).href(path))
                    aria-current=[is_here.then_some("true")] { (words) }
            }
            @if is_fixed { span aria-current="true" { "Fixed window" } }
        }
    }
}

fn verdict_boxes(query: &PageQuery) -> Markup {
    let chosen = query.list("verdict");
    html! {
        ul.boxes aria-label="Verdict" {
            @for (kind, value) in VERDICTS {
                @let is_set = chosen.contains(&value);
                li {
                    a.box href=(query.without(&PAGING).toggled("verdict", value).href("/history"))
                        role="checkbox" aria-checked=(is_set) {
                        span.tick aria-hidden="true" { @if is_set { "x" } }
                        (kind.shape_beside_words()) (kind.word())
                    }
                }
            }
        }
    }
}

/// A menu whose entries are links.
pub(crate) fn menu_for<'a>(
    key: &str,
    many: &str,
    query: &PageQuery,
    path: &str,
    choices: impl Iterator<Item = (&'a str, Option<u64>)>,
) -> Markup {
    let chosen = query.get(key);
    let choices: Vec<_> = choices.take(200).collect();
    html! {
        @if !choices.is_empty() || chosen.is_some() {
            details.choice {
                summary {
                    (key) ": "
                    @match chosen { Some(value) => (text::name_within(value, 28)), None => { "all" } }
                }
                ul {
                    li { a href=(query.without(&PAGING).with(key, "").href(path))
                        aria-current=[chosen.is_none().then_some("true")] { "all " (many) } }
                    @for (value, n) in choices {
                        li { a href=(query.without(&PAGING).with(key, value).href(path))
                            aria-current=[(chosen == Some(value)).then_some("true")] {
                            (text::name(value)) @if let Some(n) = n { " " span.count { (number::count(n)) } }
                        } }
                    }
                }
            }
        }
    }
}

fn menu<'a>(
    key: &str,
    many: &str,
    query: &PageQuery,
    choices: impl Iterator<Item = (&'a str, Option<u64>)>,
) -> Markup {
    menu_for(key, many, query, "/history", choices)
}

/// Parameters that are not known, each in its own line.
pub(crate) fn notices(lines: &[String]) -> Markup {
    html! { @for line in lines { p.notice { bdi { (text::marked_sentence(line)) } } } }
}
