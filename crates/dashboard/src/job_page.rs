//! The page of one job: what happened to it, and what to do.

use fargate_status_answers::{JobAnswer, JobStateWord, JobTextStyle, StageRow, show_text};
use maud::{Markup, html};

use crate::frame::PageFrame;
use crate::job_head::{breadcrumbs, forge, job_head, web_address};
use crate::name_text as text;
use crate::number_text as number;
use crate::page_query::PageQuery;
use crate::state_mark::MarkKind;
use crate::timeline::{TimelineView, timeline};
use crate::why_card::{WhySurroundings, final_text, why_card};

/// The page of one job.
#[must_use]
pub fn job_page(answer: &JobAnswer, frame: &PageFrame) -> String {
    let query = frame.page_query();
    let view = TimelineView::of(query.get("view"), answer);
    let mark = MarkKind::of(answer.state, answer.verdict);
    let title = format!(
        "{} {}",
        mark.sign(),
        text::plain_name(answer.name.as_deref().unwrap_or(&answer.id))
    );
    let content = html! {
        (breadcrumbs(answer))
        (job_head(answer, frame.at_ms))
        p.answer id="answer" data-live="answer" { (text::sentence(&answer.answer)) }
        @if let Some(at) = answer.damaged_after_ms {
            p.notice { "The record of this job is damaged after " (text::time(at, frame.at_ms)) ". Shown up to there." }
        }
        div data-live="why" { (why(answer, frame)) }
        (figure(answer, view, frame))
        (stages(answer, frame.at_ms))
        (facts(answer))
        (events(answer))
        (stop(answer, frame))
    };
    frame.render("job", &title, &answer.answer, &content)
}

fn why(job: &JobAnswer, frame: &PageFrame) -> Markup {
    let Some(why) = &job.why else { return html! {} };
    let same = PageQuery::default().with("cause", &why.slug).with("last", "24h").href("/history");
    let others = (job.same_cause_24h > 0).then(|| {
        html! {
            a href=(same) {
                (number::counted(job.same_cause_24h, "more job", "more jobs"))
                " with this cause in the last 24 hours"
            }
        }
    });
    let next = final_text(why).map(|words| html! { (words) });
    let next = next.filter(|_| frame.at_ms > 0 && job.state == JobStateWord::Finished);
    let runbook = frame.runbook_href(&why.slug);
    why_card(why, &WhySurroundings { then: &job.then, next, others, runbook })
}

fn figure(job: &JobAnswer, view: TimelineView, frame: &PageFrame) -> Markup {
    let query = frame.page_query();
    let href = |view: TimelineView| query.with("view", view.word()).href(&frame.path);
    let tab = |it: TimelineView, name: &str, key: &str| {
        html! {
            a href=(href(it)) aria-current=[(it == view).then_some("true")] data-key=(key) { (name) }
        }
    };
    html! {
        section.figure aria-labelledby="time-title" {
            div.section-head {
                h2 id="time-title" { "Where the time went" }
                nav.tabs aria-label="Views of the timeline" {
                    (tab(TimelineView::Start, "Start", "1"))
                    (tab(TimelineView::Stages, "All stages", "2"))
                    @if job.tries.len() > 1 {
                        (tab(TimelineView::Tries, &format!("Tries {}", job.tries.len()), "3"))
                    }
                }
            }
            figure data-live="timeline" {
                (timeline(job, view, frame.at_ms))
                @if let Some(shift) = job.clock_shift_ms {
                    p.note { "ECS clock shifted by " (number::duration(shift.unsigned_abs())) "." }
                }
                button.copy type="button" data-copy-lines=(as_text(job, frame.at_ms)) { "Copy as text" }
            }
        }
    }
}

/// The same as `fargate-runner jobs show` prints.
fn as_text(job: &JobAnswer, now_ms: u64) -> String {
    let style = JobTextStyle { width: None, unicode: true, events: false, now_ms };
    let lines = show_text(job, &style);
    // Nothing that is copied may move a cursor; the builder escapes names, and this what it missed.
    lines.lines().map(fargate_model::text::escape).collect::<Vec<_>>().join("\n")
}

fn stages(job: &JobAnswer, now_ms: u64) -> Markup {
    html! {
        section data-live="stages" aria-labelledby="stages-title" {
            div.section-head {
                h2 id="stages-title" { "Stages" }
                @if let Some(href) = job.forge_url.as_deref().and_then(web_address) {
                    a href=(href) rel="noreferrer" { "Log in " (forge(&job.id)) }
                }
            }
            @if job.stages.is_empty() {
                p.empty { "None ran." }
            } @else {
                table.rows.stages {
                    thead { tr {
                        th scope="col" { "Stage" } th scope="col" { "Started" }
                        th.number scope="col" { "Took" } th.number scope="col" { "Exit" }
                        th.number scope="col" { "Output" }
                    } }
                    tbody { @for stage in &job.stages { (stage_row(job, stage, now_ms)) } }
                }
            }
        }
    }
}

fn stage_row(job: &JobAnswer, stage: &StageRow, now_ms: u64) -> Markup {
    let verdict = stage.verdict.as_deref();
    let is_bad = verdict.is_some_and(|word| word != "passed");
    let runs = stage.took_ms.is_none() && job.state != JobStateWord::Finished;
    html! {
        tr id=(format!("stage-{}", text::segment(&stage.name))) data-row=(text::segment(&stage.name)) {
            th scope="row" {
                (text::name(&stage.name))
                @if let Some(kind) = verdict.and_then(MarkKind::of_word).filter(|_| is_bad) {
                    " " (kind.with_word())
                }
                @if stage.resumed > 0 { " " span.note { "cut and resumed " (stage.resumed) "x" } }
            }
            td data-label="Started" { (text::time(stage.started_ms, now_ms)) }
            td.number data-label="Took" {
                @if runs { (text::ticking_age(stage.started_ms, now_ms)) }
                @else { (text::length_of(stage.took_ms)) }
            }
            td.number data-label="Exit" {
                @match stage.exit {
                    Some(exit) => {
                        (exit)
                        @if let Some(meaning) = &stage.exit_meaning { " " span.note { (text::name(meaning)) } }
                    }
                    None => { span.none { "-" } }
                }
            }
            td.number data-label="Output" { (text::bytes(stage.output_bytes)) }
        }
    }
}

fn facts(job: &JobAnswer) -> Markup {
    if job.facts.is_empty() {
        return html! {};
    }
    html! {
        section aria-labelledby="facts-title" data-live="facts" {
            div.section-head {
                h2 id="facts-title" { "Facts" }
                @if let Some(href) = job.console_url.as_deref().and_then(web_address) {
                    a href=(href) rel="noreferrer" { "Task in the ECS console" }
                }
            }
            dl.facts {
                @for fact in &job.facts {
                    div {
                        dt { (text::name(&fact.name)) }
                        dd { code { bdi { (text::sentence(&fact.value)) } }
                            @if fact.value.len() > 20 {
                                button.copy.small type="button" data-copy=(text::sentence(&fact.value))
                                    aria-label=(format!("Copy {}", text::plain_name(&fact.name))) { "Copy" }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn events(job: &JobAnswer) -> Markup {
    if job.events.is_empty() {
        return html! { section { p.empty { "Nothing has happened yet." } } };
    }
    html! {
        section id="events" data-live="events" {
            details {
                summary { h2 { "Events " span.count { (number::count(job.events.len() as u64)) } } }
                button.copy type="button" data-copy-from="event-lines" { "Copy all" }
                ol.events id="event-lines" {
                    @for event in &job.events {
                        li {
                            time datetime=(number::exact_moment(event.at_ms)) data-keep { (number::clock_ms(event.at_ms)) }
                            " " strong { (text::plain_name(&event.name)) }
                            " " bdi { (text::sentence(&event.text)) }
                        }
                    }
                }
            }
        }
    }
}

fn stop(job: &JobAnswer, frame: &PageFrame) -> Markup {
    let task = job.facts.iter().find(|fact| fact.name == "task").map(|fact| fact.value.as_str());
    let is_live = matches!(job.state, JobStateWord::Starting | JobStateWord::Running);
    let path =
        job.stop_path.as_deref().filter(|path| path.starts_with("/tasks/") && frame.is_operator);
    let (Some(task), Some(path), true) = (task, path, is_live) else { return html! {} };
    let short = text::plain_name(&number::short_id(task));
    let name = text::plain_name(job.name.as_deref().unwrap_or(&job.id));
    html! {
        section.stop data-live="stop" {
            button.danger type="button" popovertarget="stop-dialog" data-stop { "Stop this task" }
            div.dialog id="stop-dialog" popover role="dialog" aria-labelledby="stop-question" {
                p id="stop-question" {
                    "Stop task " code { (short) } " of " bdi { (name) }
                    "? The job will end as system failure."
                }
                form method="post" action=(path) {
                    @if let Some(csrf) = &frame.csrf { input type="hidden" name="csrf" value=(csrf); }
                    input type="hidden" name="job" value=(job.id);
                    button type="button" popovertarget="stop-dialog" popovertargetaction="hide" autofocus {
                        "Keep it running"
                    }
                    button.danger type="submit" { "Stop task" }
                }
            }
        }
    }
}
