//! The page of costs: what it costs, who spends it, and what bought no work. All sums are estimates.

use fargate_status_answers::{CostAnswer, CostGroup, CostWaste};
use maud::{Markup, html};

use crate::columns::cost_columns;
use crate::frame::PageFrame;
use crate::history_filters::{is_filtered, notices};
use crate::name_text as text;
use crate::now_page::answer_line;
use crate::number_text as number;
use crate::page_query::PageQuery;
use crate::start_time_page::spot_menu;

const PATH: &str = "/cost";
/// Older prices are named.
const OLD_PRICES_DAYS: u64 = 90;

/// The page of costs.
#[must_use]
pub fn cost_page(answer: &CostAnswer, frame: &PageFrame) -> String {
    let query = frame.page_query();
    let has_none = answer.days.is_empty() && answer.groups.is_empty();
    let content = html! {
        h1.unseen { "Cost" }
        (answer_line(&answer.answer, false))
        (prices(answer))
        (controls(answer, &query))
        (notices(&answer.notices))
        @if has_none {
            p.empty {
                @if is_filtered(&query) { "No cost matches these filters. " a href=(PATH) { "Clear filters" } }
                @else { "No task has been billed yet. To run one: " code { "fargate-runner exec -- echo hello" } }
            }
        } @else {
            section aria-labelledby="days-title" {
                h2 id="days-title" { "Per day" span.note { " script time and other time, estimate" } }
                figure { (cost_columns(&answer.days)) }
            }
            (groups(answer, &query))
            (waste(&answer.waste))
            p.downloads { a href=(query.with("format", "csv").href("/api/v1/cost")) download { "Download CSV" } }
            (how())
        }
    };
    frame.render("cost", "Cost", &answer.answer, &content)
}

fn prices(answer: &CostAnswer) -> Markup {
    html! {
        p.prices {
            @if !answer.price_date.is_empty() {
                "Prices of " (text::sentence(&answer.price_date)) ", " (text::name(&answer.price_region))
                ", from the configuration."
            }
            @if !answer.left_out.is_empty() {
                " Not included: " (text::sentence(&answer.left_out.join(", "))) "."
            }
        }
        @if answer.price_age_days > OLD_PRICES_DAYS {
            p.notice { "Prices are " (answer.price_age_days) " days old. Check " code { "prices" } " in the configuration." }
        }
        @for unpriced in &answer.unpriced {
            p.notice {
                @match &unpriced.key {
                    Some(key) => { "The configuration has no " code { (text::sentence(key)) } ", so " }
                    None => "The size of their tasks is not known, so ",
                }
                (number::counted(unpriced.jobs, "job is", "jobs are")) " left out; the newest is "
                a href=(text::job_href(&unpriced.newest)) { (text::name(&unpriced.newest)) } "."
            }
        }
        @if let Some(through_nat) = answer.nat_micro_usd {
            p.prices { "Images through a NAT gateway: about " (number::money(through_nat)) " of this window (estimate)." }
        }
    }
}

fn controls(answer: &CostAnswer, query: &PageQuery) -> Markup {
    const WINDOWS: [(&str, &str); 4] =
        [("", "This month"), ("today", "Today"), ("7d", "7 days"), ("30d", "30 days")];
    let window = query.get("last").unwrap_or("");
    let by = if answer.by.is_empty() { "project" } else { answer.by.as_str() };
    html! {
        div.filter-row data-view-from=(answer.from_ms) data-view-to=(answer.to_ms) {
            nav.segments aria-label="Window of time" data-window {
                @for (value, words) in WINDOWS {
                    a href=(query.without(&["from", "to"]).with("last", value).href(PATH))
                        aria-current=[(window == value).then_some("true")] { (words) }
                }
            }
            nav.segments aria-label="Grouped by" {
                span { "by" }
                @for value in ["project", "size", "image"] {
                    a href=(query.with("by", if value == "project" { "" } else { value }).href(PATH))
                        aria-current=[(by == value).then_some("true")] { (value) }
                }
            }
            div.menus { (spot_menu(query, PATH)) }
        }
    }
}

fn groups(answer: &CostAnswer, query: &PageQuery) -> Markup {
    let by = if answer.by.is_empty() { "project" } else { answer.by.as_str() };
    html! {
        section aria-labelledby="groups-title" {
            h2 id="groups-title" { "By " (text::plain_name(by)) span.note { " estimate" } }
            table.rows.costs {
                thead { tr {
                    th scope="col" { (text::title_case(by)) } th.number scope="col" { "Jobs" }
                    th.number scope="col" { "Cost, estimate" } th.number scope="col" { "Per job" }
                    th.number scope="col" { "Start" } th.number scope="col" { "Idle" }
                    th.number scope="col" { "Failed starts" } th.number scope="col" { "Spot" }
                    th scope="col" { "Period before" }
                } }
                tbody { @for group in &answer.groups { (group_row(group, by, query)) } }
            }
        }
    }
}

fn group_row(group: &CostGroup, by: &str, query: &PageQuery) -> Markup {
    let href = query.without(&["by"]).with(by, &group.name).href("/history");
    let change = group.before_micro_usd.and_then(|it| number::more(group.cost_micro_usd, it));
    html! {
        tr {
            th scope="row" { a href=(href) { (text::name(&group.name)) } }
            td.number data-label="jobs" { (number::count(group.jobs)) }
            td.number.total data-label="estimate" { (number::money(group.cost_micro_usd)) }
            td.number data-label="per job" {
                @match group.cost_micro_usd.checked_div(group.jobs) { Some(each) => { (number::money(each)) } None => span.none { "-" } }
            }
            td.number data-label="start" { (number::money(group.start_micro_usd)) }
            td.number data-label="idle" { (number::money(group.idle_micro_usd)) }
            td.number data-label="failed starts" { (number::money(group.failed_micro_usd)) }
            td.number data-label="Spot" { (number::percent(group.spot_share)) }
            td data-label="period before" { @match change { Some(change) => { (change) } None => span.none { "-" } } }
        }
    }
}

fn waste(waste: &[CostWaste]) -> Markup {
    if waste.is_empty() {
        return html! {};
    }
    html! {
        section aria-labelledby="waste-title" {
            h2 id="waste-title" { "Waste, largest first" span.note { " estimate" } }
            ul.waste {
                @for it in waste {
                    li {
                        span.amount { @if it.micro_usd >= 100 { "about " } (number::money(it.micro_usd)) }
                        span { bdi { (text::sentence(&it.text)) } }
                        @if let Some(href) = own_path(&it.link) { a href=(href) { (waste_link(&it.kind)) } }
                    }
                }
            }
        }
    }
}

/// A path of these pages, never another site.
fn own_path(link: &str) -> Option<&str> {
    (link.starts_with('/') && !link.starts_with("//")).then_some(link)
}

fn waste_link(kind: &str) -> &'static str {
    match kind {
        "starting" => "Start time",
        "failed_starts" => "See causes",
        _ => "See jobs",
    }
}

fn how() -> Markup {
    html! {
        details id="how" {
            summary { "How this is computed" }
            p { "Fargate bills vCPU and memory by the second, from the first byte of the image that is pulled until the "
                "task has stopped, one minute at least. Disk above 20 GiB is billed as well. Each sum is seconds times "
                "the price in the configuration, rounded once, at the end." }
            p { "Idle is the time in which a task is alive and no stage runs, for more than 5 s after the last one. "
                "An estimate is not an invoice: discounts and what is not included are in the AWS bill only." }
        }
    }
}
