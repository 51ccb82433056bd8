//! The page of what happens now: whether anything is wrong, what waits, and why.

use fargate_status_answers::{AttentionRow, LimitRow, NowAnswer, RunnerNumbers};
use maud::{Markup, html};

use crate::frame::PageFrame;
use crate::name_text as text;
use crate::now_lists::{running_list, starting_list, waiting_list};
use crate::number_text as number;
use crate::page_query::PageQuery;
use crate::state_mark::MarkKind;
use crate::strip::{sparkline, trend_text};

/// Ids of jobs that are not over that a line shows at most.
const SHOWN_OPEN: usize = 20;
/// What an address says instead of an object, if a cause is about nothing that is known.
const NO_OBJECT: &str = "-";

/// The page of what happens now.
#[must_use]
pub fn now_page(answer: &NowAnswer, frame: &PageFrame) -> String {
    let content = html! {
        h1.unseen { "Now" }
        (answer_line(&answer.answer, answer.needs_action))
        (where_and_how_fresh(answer, frame))
        @if answer.is_first_use {
            (first_use())
        } @else {
            (counts(answer, &frame.page_query()))
            (limits(answer))
            (gitlab_runner(answer.gitlab_runner.as_ref(), frame.at_ms))
            (attention(answer, frame))
            (waiting_list(answer, frame))
            (starting_list(answer, frame))
            (running_list(answer, frame))
        }
    };
    frame.render("now", &title(answer), &answer.answer, &content)
}

/// The first paragraph of a page: its answer.
pub(crate) fn answer_line(answer: &str, needs_action: bool) -> Markup {
    html! {
        p.answer.(if needs_action { "acts" } else { "calm" }) id="answer" data-live="answer" {
            @if needs_action { span.answer-mark title="Somebody must act" { (MarkKind::SystemFailure.shape_beside_words()) } }
            span { bdi { (text::sentence(answer)) } }
        }
    }
}

fn title(answer: &NowAnswer) -> String {
    let failed = answer.counts.failed_1h_system + answer.counts.failed_1h_script;
    let parts = [(answer.counts.waiting, "wait"), (failed, "failed")];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, word)| format!("{} {word}", number::count(n)))
        .collect();
    if parts.is_empty() { "Now".to_owned() } else { format!("Now ({})", parts.join(", ")) }
}

fn first_use() -> Markup {
    html! {
        section.first-use {
            p { "No job has come yet. Point GitLab Runner at " code { "fargate-runner custom" }
                ", or run one now:" }
            (text::command("fargate-runner exec -- echo hello"))
        }
    }
}

fn where_and_how_fresh(answer: &NowAnswer, frame: &PageFrame) -> Markup {
    let query = frame.page_query();
    html! {
        div.whereabouts {
            ul.facts-line {
                @if answer.hosts.len() > 1 {
                    li { (host_menu(answer, &query)) }
                } @else {
                    li { "host " (text::name(&answer.host)) }
                }
                @if let Some(region) = &answer.region { li { (text::name(region)) } }
                @if let Some(cluster) = &answer.cluster { li { "cluster " (text::name(cluster)) } }
                li.freshness { span.dot aria-hidden="true" {} span data-stream-state { "As of" } ", "
                    time id="fresh" datetime=(number::exact_moment(frame.at_ms)) data-keep-utc {
                        (number::clock(frame.at_ms)) } " UTC" }
            }
            button.scripted type="button" data-pause aria-pressed="false" { "Pause updates" }
            @if frame.is_operator { (intake(answer, frame)) }
        }
    }
}

fn host_menu(answer: &NowAnswer, query: &PageQuery) -> Markup {
    let chosen = query.get("host");
    html! {
        details.choice {
            summary {
                @match chosen {
                    Some(host) => { "host " (text::name(host)) }
                    None => { (number::counted(answer.hosts.len() as u64, "host", "hosts")) }
                }
            }
            ul {
                li { a href=(query.with("host", "").href("/")) aria-current=[chosen.is_none().then_some("true")] { "All hosts" } }
                @for host in &answer.hosts {
                    li { a href=(query.with("host", host).href("/"))
                        aria-current=[(chosen == Some(host)).then_some("true")] { (text::name(host)) } }
                }
            }
        }
    }
}

/// Holding new jobs, for operators. Works without a script.
fn intake(answer: &NowAnswer, frame: &PageFrame) -> Markup {
    let is_paused = answer.paused_since_ms.is_some();
    html! {
        button type="button" popovertarget="intake-dialog" {
            @if is_paused { "Resume intake" } @else { "Pause intake" }
        }
        div.dialog id="intake-dialog" popover role="dialog" aria-label="Intake of jobs" {
            form method="post" action=(if is_paused { "/intake/resume" } else { "/intake/pause" }) {
                @if let Some(csrf) = &frame.csrf { input type="hidden" name="csrf" value=(csrf); }
                @if is_paused {
                    p { "Take new jobs again? Same as: " code { "fargate-runner resume" } }
                } @else {
                    label for="pause-note" { "Why? Everyone sees this note until you resume." }
                    input id="pause-note" type="text" name="note" required maxlength="200" autofocus;
                    p.hint { "Same as: " code { "fargate-runner pause --note \"...\"" } }
                    p.hint { "Drain the host to let it become idle, before you restart or remove it. Same as: "
                        code { "fargate-runner drain --note \"...\"" } }
                }
                button type="button" popovertarget="intake-dialog" popovertargetaction="hide" { "Leave it" }
                @if is_paused {
                    button type="submit" { "Resume intake" }
                } @else {
                    button type="submit" { "Pause intake" }
                    button type="submit" formaction="/intake/drain" { "Drain host" }
                }
            }
        }
    }
}

/// The jobs that failed in the last hour, on the hosts and in the projects that the page shows: the same jobs as the
/// page counts, which go by their end.
fn failures_query(query: &PageQuery) -> PageQuery {
    let kept = |name: &str| query.list(name).join(",");
    PageQuery::default()
        .with("host", &kept("host"))
        .with("project", &kept("project"))
        .with("verdict", "failed,system,timed_out")
        .with("last", "1h")
        .with("window", "ended")
}

fn counts(answer: &NowAnswer, query: &PageQuery) -> Markup {
    let counts = &answer.counts;
    let failed = counts.failed_1h_system + counts.failed_1h_script;
    let oldest = counts.oldest_wait_ms.map(|ms| format!("oldest {}", number::ticking(ms)));
    let slowest = counts.slowest_start_ms.map(|ms| format!("slowest {}", number::ticking(ms)));
    let running = (counts.running > 0).then(|| {
        let gib = u32::try_from(counts.running_memory_mib).unwrap_or(u32::MAX);
        format!("{} vCPU, {}", number::plain(counts.running_vcpu), fargate_model::text::memory(gib))
    });
    let split = (failed > 0)
        .then(|| format!("{} system, {} script", counts.failed_1h_system, counts.failed_1h_script));
    let tile = |kind: MarkKind, name: &str, href: &str, n: u64, words: Option<String>| {
        html! {
            a.tile href=(href) {
                span.tile-name { (kind.shape_beside_words()) (name) }
                span.tile-number { (number::count(n)) }
                span.tile-words { (words.unwrap_or_default()) }
            }
        }
    };
    html! {
        div.tiles data-live="counts" role="group" aria-label="Jobs in each state" {
            (tile(MarkKind::Waiting, "Waiting", "#waiting", counts.waiting, oldest))
            (tile(MarkKind::Starting, "Starting", "#starting", counts.starting, slowest))
            (tile(MarkKind::Running, "Running", "#running", counts.running, running))
            (tile(if counts.failed_1h_system > 0 { MarkKind::SystemFailure } else { MarkKind::Failed },
                "Failed, last hour", &failures_query(query).href("/history"), failed, split))
        }
    }
}

fn attention(answer: &NowAnswer, frame: &PageFrame) -> Markup {
    let query = frame.page_query();
    let newest_first = query.get("sort") == Some("newest");
    let sort = |value: &str, words: &str, is_chosen: bool| {
        html! { a href=(query.with("sort", value).href("/")) aria-current=[is_chosen.then_some("true")] { (words) } }
    };
    html! {
        section.attention data-list="attention" aria-labelledby="attention-title" {
            div.section-head {
                h2 id="attention-title" { "Needs attention" }
                @if answer.attention.len() > 1 {
                    nav.segments aria-label="Sorted by" {
                        span { "by" }
                        (sort("", "impact", !newest_first))
                        (sort("newest", "newest", newest_first))
                    }
                }
                button.news.scripted type="button" data-news hidden {}
            }
            div data-body { @if answer.attention.is_empty() {
                p.empty { "Nothing failed in the last hour." }
            } @else {
                ul.causes {
                    @for row in &answer.attention { (cause_row(row, frame)) }
                }
                @if answer.more_causes > 0 {
                    p.more { a href=(failures_query(&query).with("group", "cause").href("/history")) {
                        (number::counted(answer.more_causes, "more cause", "more causes"))
                    } }
                }
            } }
        }
    }
}

/// One cause with one object. Two of them never share a row, so the script tells them apart by both.
fn cause_row(row: &AttentionRow, frame: &PageFrame) -> Markup {
    let now_ms = frame.at_ms;
    let kind = if row.is_system { MarkKind::SystemFailure } else { MarkKind::Failed };
    let key = match &row.object {
        Some(object) => format!("{} {}", row.why.slug, text::sentence(object)),
        None => row.why.slug.clone(),
    };
    html! {
        li.cause data-row=(key) data-system[row.is_system] {
            details {
                summary {
                    (kind.shape_only())
                    span.cause-name {
                        (text::name_within(&text::title_case(&row.why.headline), 90))
                        @if let Some(mark) = &row.mark { " " span.chip.c-fail { (text::plain_name(mark)) } }
                    }
                    span.cause-jobs { (number::counted(row.jobs, "job", "jobs")) }
                    span.cause-projects { (number::counted(row.projects, "project", "projects")) }
                    span.cause-when {
                        (text::short_time(row.first_ms, now_ms)) "\u{2013}" (text::short_time(row.last_ms, now_ms))
                    }
                    span.cause-trend title=(trend_text(&row.per_5min)) {
                        (sparkline(&row.per_5min))
                        span.unseen { (trend_text(&row.per_5min)) }
                    }
                    span.cause-why { @if row.is_system { "Why" } @else { "See" } }
                }
                div.cause-body {
                    @for evidence in row.why.evidence.iter().take(3) { p { bdi { (text::sentence(evidence)) } } }
                    @if let Some(action) = &row.why.action {
                        p.fix { strong { "Fix: " } (text::marked_sentence(action)) }
                    }
                    @if let Some(command) = &row.why.command { (text::command(command)) }
                    p { (jobs_of_cause(row, frame)) " \u{b7} "
                        a href=(crate::why_card::cause_href(&row.why.slug)) { (text::plain_name(&row.why.slug)) } }
                }
            }
        }
    }
}

/// The jobs that a line counts: those that failed as a list, those that are not over one by one.
fn jobs_of_cause(row: &AttentionRow, frame: &PageFrame) -> Markup {
    let open = row.open_jobs.len();
    let failed = row.jobs.saturating_sub(open as u64);
    // A guest sees causes of all objects as one.
    let object = row.object.as_deref().or(frame.is_signed_in.then_some(NO_OBJECT));
    let failures = failures_query(&frame.page_query()).with("cause", &row.why.slug);
    let href = failures.with("object", object.unwrap_or_default()).href("/history");
    html! {
        @if failed > 0 {
            a href=(href) { "These " (number::counted(failed, "job", "jobs")) }
        }
        @if failed > 0 && open > 0 { ", and " }
        @if open > 0 {
            @if failed == 0 { "Not over yet: " } @else { "not over yet: " }
            @for (at, id) in row.open_jobs.iter().take(SHOWN_OPEN).enumerate() {
                @if at > 0 { ", " }
                a href=(text::job_href(id)) { (text::name(id)) }
            }
            @if open > SHOWN_OPEN { " and " (number::count((open - SHOWN_OPEN) as u64)) " more" }
        }
    }
}

fn limits(answer: &NowAnswer) -> Markup {
    html! {
        section.limits data-live="limits" aria-labelledby="limits-title" {
            h2 id="limits-title" { "Limits" }
            @if let Some(until) = answer.spot_paused_until_ms {
                p.notice { "Spot is paused until " (text::short_time(until, answer.at_ms)) "." }
            }
            dl.limit-list {
                @for limit in &answer.limits { (limit_bar(limit)) }
                div.limit { dt { "RunTask refused, last 10 min" }
                    dd { @if answer.refused_capacity + answer.refused_throttled == 0 { "none" }
                        @else { (number::count(answer.refused_capacity)) " capacity, "
                            (number::count(answer.refused_throttled)) " throttled" } } }
                div.limit { dt { "Orphans reaped today" } dd { (number::count(answer.orphans_today)) } }
            }
        }
    }
}

/// What gitlab-runner says of itself, with its age. Nothing is made up: a number that it does not tell is left out.
fn gitlab_runner(numbers: Option<&RunnerNumbers>, now_ms: u64) -> Markup {
    let Some(numbers) = numbers else {
        return html! {
            p.note data-live="gitlab-runner" { "GitLab Runner's own numbers are not known: set "
                code { "serve.gitlab_runner_metrics" } "." }
        };
    };
    let line = |name: &str, value: Option<u64>| {
        html! { @if let Some(value) = value { div.limit { dt { (name) } dd { (number::count(value)) } } } }
    };
    html! {
        section.limits data-live="gitlab-runner" aria-labelledby="gitlab-runner-title" {
            h2 id="gitlab-runner-title" { "GitLab Runner says"
                span.note {
                    @if let Some(version) = &numbers.version { " version " (text::name(version)) }
                    @if let Some(heard) = numbers.heard_ms { ", " (number::age(now_ms.saturating_sub(heard))) " ago" }
                }
            }
            @if let Some(error) = &numbers.error {
                p.notice { "It did not answer the last question: " (text::sentence(error)) "."
                    @if numbers.heard_ms.is_none() { " It has not answered yet." } }
            }
            @if numbers.heard_ms.is_some() {
                dl.limit-list {
                    (line("Jobs", numbers.jobs))
                    (line("concurrent", numbers.concurrent))
                    (line("Requests for a job", numbers.requests))
                    (line("Requests above request_concurrency, since its start", numbers.requests_exceeded))
                    (line("Errors, since its start", numbers.errors))
                }
            }
        }
    }
}

fn limit_bar(limit: &LimitRow) -> Markup {
    let share = match (limit.used, limit.allowed) {
        (Some(used), Some(allowed)) if allowed > 0.0 => Some(used / allowed),
        _ => None,
    };
    let word = match share.filter(|_| !limit.is_floor) {
        Some(share) if share >= 1.0 => Some("used up"),
        Some(share) if share >= 0.8 => Some("near the limit"),
        _ => None,
    };
    html! {
        div.limit {
            dt { (text::name(&limit.name)) }
            dd {
                @match (limit.used, limit.allowed) {
                    (Some(used), Some(allowed)) => { (number::plain(used)) " of " (number::plain(allowed)) }
                    (Some(used), None) => { (number::plain(used)) }
                    (None, Some(allowed)) => { "limit " (number::plain(allowed)) }
                    (None, None) => {}
                }
                @if let Some(word) = word { " " span.near { (word) } }
            }
            @if let Some(unknown) = &limit.unknown { dd.limit-note.note { (text::marked_sentence(unknown)) } }
            @if let Some(share) = share.filter(|_| !limit.is_floor) {
                svg.limit-bar.near[word.is_some()] width="100%" height="8" aria-hidden="true" {
                    rect.whole x="0" y="0.5" width="100%" height="7" {}
                    rect.used x="0" y="0.5" width=(number::length((share * 100.0).clamp(0.0, 100.0))) height="7" {}
                }
            }
        }
    }
}
