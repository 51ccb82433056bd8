//! Where the time of a job went: one figure with a row for each phase, drawn inside a table.
//!
//! The table alone says everything: a screen reader, a copy and a print without drawings get the same.
//! Colour says who holds the job, the pattern says which phase, and the label says it in words.

use fargate_status_answers::{JobAnswer, JobStateWord, TimelinePhase, TimelineRow, TimelineTry};
use maud::{Markup, PreEscaped, html};

use crate::name_text as text;
use crate::number_text as number;
use crate::number_text::length;
use crate::patterns::{fill_of, owner_class};
use crate::phase_axis::PhaseAxis;
use crate::state_mark::MarkKind;
use crate::strip::phase_strip;

/// What the figure shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimelineView {
    /// From queued to host proven.
    Start,
    /// The start as one bar, then each stage, then the stop.
    Stages,
    /// A strip for each try.
    Tries,
}

impl TimelineView {
    pub(crate) fn of(asked: Option<&str>, job: &JobAnswer) -> Self {
        match asked {
            Some("start") => Self::Start,
            Some("stages") => Self::Stages,
            Some("tries") if job.tries.len() > 1 => Self::Tries,
            _ if job.timeline.iter().any(is_stage_begun) => Self::Stages,
            _ => Self::Start,
        }
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stages => "stages",
            Self::Tries => "tries",
        }
    }
}

fn is_stage_begun(row: &TimelineRow) -> bool {
    is_stage(row.phase) && row.from_ms.is_some()
}

fn is_stage(phase: TimelinePhase) -> bool {
    matches!(phase, TimelinePhase::OwnStage | TimelinePhase::Script)
}

fn is_start(phase: TimelinePhase) -> bool {
    !is_stage(phase) && phase != TimelinePhase::Stop
}

/// The pattern of a phase.
pub(crate) fn phase_key(phase: TimelinePhase) -> &'static str {
    match phase {
        TimelinePhase::Queued => "queue",
        TimelinePhase::Held => "held",
        TimelinePhase::RunTask => "run_task",
        TimelinePhase::Network => "network",
        TimelinePhase::Pull => "pull",
        TimelinePhase::Start => "start",
        TimelinePhase::Agent => "agent",
        TimelinePhase::Proof => "proof",
        TimelinePhase::OwnStage => "own",
        TimelinePhase::Script => "script",
        TimelinePhase::Stop => "stop",
    }
}

/// The rows of a view. In the view of stages, the start is one row.
fn rows_of(job: &JobAnswer, view: TimelineView, now_ms: u64) -> Vec<TimelineRow> {
    let of = |keep: fn(TimelinePhase) -> bool| {
        job.timeline.iter().filter(move |row| keep(row.phase)).cloned()
    };
    if view == TimelineView::Start {
        return of(is_start).collect();
    }
    let first = of(is_start).filter_map(|row| row.from_ms).min();
    let last = of(is_start).filter(|row| row.from_ms.is_some()).map(|row| row.to_ms);
    let is_open = job.state != JobStateWord::Finished && last.clone().any(|to| to.is_none());
    let to = last.flatten().max().unwrap_or(now_ms);
    let start = first.map(|from| TimelineRow {
        phase: TimelinePhase::RunTask,
        owner: "AWS".to_owned(),
        label: "Start".to_owned(),
        from_ms: Some(from),
        to_ms: (!is_open).then_some(to),
        is_reported: true,
        usual_ms: job.usual_start_ms,
        ..TimelineRow::default()
    });
    start.into_iter().chain(of(|phase| !is_start(phase))).collect()
}

/// The figure.
pub(crate) fn timeline(job: &JobAnswer, view: TimelineView, now_ms: u64) -> Markup {
    if view == TimelineView::Tries {
        return tries(job, now_ms);
    }
    let rows = rows_of(job, view, now_ms);
    if rows.is_empty() {
        return html! { p.empty { "There is nothing to draw yet." } };
    }
    let is_open = |row: &TimelineRow| {
        job.state != JobStateWord::Finished && row.from_ms.is_some() && row.to_ms.is_none()
    };
    let from = rows.iter().filter_map(|row| row.from_ms).min().unwrap_or(job.received_ms);
    let goes_on = rows.iter().any(is_open);
    let last = rows.iter().filter_map(|row| row.to_ms.or(row.from_ms)).max().unwrap_or(from);
    let to = if goes_on { now_ms.max(last) } else { last };
    let axis = PhaseAxis::new(from, to, goes_on);
    let has_usual = rows.iter().any(|row| row.usual_ms.is_some());
    html! {
        (owner_key(view))
        table.timeline data-axis-from=(axis.from_ms) data-axis-span=(axis.span_ms) {
            caption.unseen {
                (text::sentence(&job.answer))
                @if !has_usual { " Too few starts to compare." }
            }
            thead {
                tr {
                    th scope="col" { "Owner" }
                    th scope="col" { "Phase" }
                    th.number scope="col" { "Took" }
                    th.axis scope="col" { span.unseen { "From the beginning" } (axis_labels(&axis)) }
                    th.number scope="col" { "Usual" }
                }
            }
            tbody data-roving {
                @for (at, row) in rows.iter().enumerate() {
                    (timeline_row(job, row, &axis, is_open(row), at, now_ms))
                }
            }
        }
        p.phase-detail id="phase-detail" data-phase-detail aria-hidden="true" { "\u{a0}" }
    }
}

fn owner_key(view: TimelineView) -> Markup {
    let owners: &[(&str, &str, &str)] = match view {
        TimelineView::Start => &[
            ("o-queue", "queue", "queue"),
            ("o-aws", "AWS", "solid"),
            ("o-runner", "runner", "solid"),
        ],
        _ => {
            &[("o-aws", "AWS", "solid"), ("o-runner", "runner", "solid"), ("o-job", "job", "solid")]
        }
    };
    html! {
        ul.owner-key aria-label="Who holds the job" {
            @for (class, name, fill) in owners {
                li {
                    svg width="22" height="12" aria-hidden="true" {
                        rect.(class) x="0.5" y="0.5" width="21" height="11" fill=(fill_of(fill)) {}
                    }
                    (name)
                }
            }
        }
    }
}

fn axis_labels(axis: &PhaseAxis) -> Markup {
    html! {
        svg.axis-labels width="100%" height="16" aria-hidden="true" focusable="false" {
            @for (place, label) in axis.ticks() {
                // A label that would leave the figure is left out; its hairline stays.
                @if place < 94.0 { text x=(length(place)) y="12" { (label) } }
            }
        }
    }
}

fn timeline_row(
    job: &JobAnswer,
    row: &TimelineRow,
    axis: &PhaseAxis,
    is_open: bool,
    at: usize,
    now_ms: u64,
) -> Markup {
    let owner = if row.phase == TimelinePhase::Stop { "" } else { row.owner.as_str() };
    let key = format!("{}-{at}", phase_key(row.phase));
    html! {
        tr.failed[row.failed.is_some()].script[row.phase == TimelinePhase::Script]
            data-row=(key) data-detail=(detail(row, now_ms)) tabindex=(if at == 0 { "0" } else { "-1" }) {
            td.owner { @if !owner.is_empty() { span.owner.(owner_class(owner)) { (text::plain_name(owner)) } } }
            th.phase scope="row" {
                span { (text::name(&row.label)) }
                @if let Some(note) = &row.note { " " span.note { (text::name(note)) } }
                @if let Some(failed) = &row.failed { " " (failure(job, failed)) }
            }
            td.number.took { (took(row, is_open, now_ms)) }
            td.bar { (bar(row, axis, is_open, now_ms)) }
            td.number.usual { (usual(row, now_ms)) }
        }
    }
}

fn failure(job: &JobAnswer, failed: &str) -> Markup {
    html! {
        @if job.why.is_some() { a.failure href="#why" { (text::name_within(failed, 40)) } }
        @else { span.failure { (text::name_within(failed, 40)) } }
    }
}

fn took(row: &TimelineRow, is_open: bool, now_ms: u64) -> Markup {
    match (row.from_ms, row.to_ms) {
        _ if !row.is_reported => html! { span.none { "not reported by ECS" } },
        (Some(from), None) if is_open => html! {
            (text::ticking_age(from, now_ms))
            noscript { " since " (number::clock(from)) }
        },
        (Some(from), Some(to)) => text::length_of(Some(to.saturating_sub(from))),
        (Some(_), None) => html! { span.none { "end not known" } },
        (None, _) => html! { span.none { "not reached" } },
    }
}

fn usual(row: &TimelineRow, now_ms: u64) -> Markup {
    let Some(usual) = row.usual_ms else { return html! {} };
    let taken = row.from_ms.map(|from| row.to_ms.unwrap_or(now_ms).saturating_sub(from));
    // "Slow" means one and a half times as long, and at least 2 s.
    let is_slow = taken.is_some_and(|taken| taken * 2 > usual * 3 && taken > usual + 2000);
    html! {
        @if is_slow { span.slow { "slow" } " " }
        span.usual-word { "usual " } (number::bare_duration(usual))
    }
}

fn detail(row: &TimelineRow, now_ms: u64) -> String {
    let mut out = text::plain_name(&row.label);
    match (row.from_ms, row.to_ms) {
        _ if !row.is_reported => out.push_str(": not reported by ECS"),
        (Some(from), Some(to)) => out.push_str(&format!(
            ": {} to {} UTC, {}",
            number::clock_ms(from),
            number::clock_ms(to),
            number::duration(to.saturating_sub(from))
        )),
        (Some(from), None) => out.push_str(&format!(
            ": since {} UTC, {}",
            number::clock_ms(from),
            number::ticking(now_ms.saturating_sub(from))
        )),
        (None, _) => out.push_str(": not reached"),
    }
    if let Some(usual) = row.usual_ms {
        out.push_str(&format!(", usual {}", number::bare_duration(usual)));
    }
    for extra in row.note.iter().chain(&row.failed) {
        out.push_str(", ");
        out.push_str(&text::plain_name(extra));
    }
    out
}

/// The drawing of a row. Lengths are percent of the cell, so patterns never stretch.
fn bar(row: &TimelineRow, axis: &PhaseAxis, is_open: bool, now_ms: u64) -> Markup {
    let key = phase_key(row.phase);
    let class = owner_class(if row.phase == TimelinePhase::Stop { "" } else { &row.owner });
    let span =
        row.from_ms.map(|from| (from, row.to_ms.unwrap_or(if is_open { now_ms } else { from })));
    html! {
        svg.bar width="100%" height="24" aria-hidden="true" focusable="false" {
            @for (place, _) in axis.ticks() {
                line.tick x1=(length(place)) x2=(length(place)) y1="-2" y2="26" {}
            }
            @if let Some((from, to)) = span {
                @let (x, end) = (axis.place(from), axis.place(to));
                @if let Some(refused) = last_mark(row, "refused") {
                    @let middle = axis.place(refused).clamp(x, end);
                    rect.o-queue x=(length(x)) y="5.5" width=(length(middle - x)) height="14"
                        fill=(fill_of("queue")) {}
                    rect.(class) x=(length(middle)) y="5.5" width=(length((end - middle).max(0.2)))
                        height="14" fill=(fill_of(key)) {}
                } @else if let Some(started) = last_mark(row, "started") {
                    // Dialling ahead of the task's start is nobody's delay: hollow.
                    @let middle = axis.place(started).clamp(x, end);
                    rect.(class) x=(length(x)) y="5.5" width=(length(middle - x)) height="14" fill="none" {}
                    rect.(class) x=(length(middle)) y="5.5" width=(length((end - middle).max(0.2)))
                        height="14" fill=(fill_of(key)) {}
                } @else {
                    rect.(class).phase.open[is_open].dashed[key == "stop" || !row.is_reported]
                        x=(length(x)) y="5.5" width=(length((end - x).max(0.2))) height="14"
                        fill=(if row.is_reported { fill_of(key) } else { "none" })
                        data-open-from=[is_open.then_some(from)] {}
                }
                @if let Some(usual) = row.usual_ms {
                    @let notch = axis.place(from + usual);
                    @if notch < 100.0 {
                        line.notch x1=(length(notch)) x2=(length(notch)) y1="2" y2="23" {}
                    }
                }
                (marks(row, axis))
                (end_mark(row, end, is_open))
            }
        }
    }
}

fn last_mark(row: &TimelineRow, word: &str) -> Option<u64> {
    row.marks.iter().rev().find(|(_, it)| it.starts_with(word)).map(|(at, _)| *at)
}

fn marks(row: &TimelineRow, axis: &PhaseAxis) -> Markup {
    html! {
        @for (at, word) in row.marks.iter().take(200) {
            @let place = axis.place(*at);
            @match word.split(' ').next().unwrap_or_default() {
                "refused" => { line.o-queue x1=(length(place)) x2=(length(place)) y1="18" y2="24" {} }
                "cut" => { (placed(place, r#"<path class="o-runner solid" d="M-4 0h8l-4 5z"/>"#)) }
                "resumed" => { (placed(place, r#"<path class="o-runner solid" d="M-4 24h8l-4 -5z"/>"#)) }
                _ => {}
            }
        }
    }
}

/// A drawing in pixels whose origin stands at so many percent.
fn placed(place: f64, drawing: &str) -> Markup {
    PreEscaped(format!(
        r#"<svg x="{}" y="0" width="1" height="24" overflow="visible">{drawing}</svg>"#,
        length(place)
    ))
}

fn end_mark(row: &TimelineRow, end: f64, is_open: bool) -> Markup {
    let Some(failed) = &row.failed else {
        return match is_open {
            true => html! {
                g data-caret { (placed(end, r#"<path class="caret" d="M2 8l5 4.5l-5 4.5z"/>"#)) }
            },
            false => html! {},
        };
    };
    let kind = match failed.as_str() {
        it if it.starts_with("cancelled") => MarkKind::Cancelled,
        it if it.starts_with("timed out") => MarkKind::TimedOut,
        it if it.starts_with("exit") || it == "failed" => MarkKind::Failed,
        _ => MarkKind::SystemFailure,
    };
    let mark = kind.shape_beside_words().into_string();
    placed(end, &format!(r#"<g transform="translate(4 5)">{mark}</g>"#))
}

/// One strip for each try, the last one open while the job lives.
fn tries(job: &JobAnswer, now_ms: u64) -> Markup {
    let is_open = |it: &TimelineTry| it.ended_ms.is_none() && job.state != JobStateWord::Finished;
    let took = |it: &TimelineTry| it.ended_ms.unwrap_or(now_ms).saturating_sub(it.started_ms);
    html! {
        table.tries {
            caption.unseen { "The tries of this job" }
            thead { tr {
                th scope="col" { "Try" } th scope="col" { "Began" } th.number scope="col" { "Took" }
                th scope="col" { "Phases" } th scope="col" { "End" }
            } }
            tbody {
                @for it in &job.tries {
                    tr data-row=(it.number) {
                        th scope="row" {
                            a href=(format!("?try={}&view=start", it.number)) { "Try " (it.number) }
                        }
                        td { (text::time(it.started_ms, now_ms)) }
                        td.number {
                            @if is_open(it) { (text::ticking_age(it.started_ms, now_ms)) }
                            @else { (text::length_of(Some(took(it)))) }
                        }
                        td.bar { (phase_strip(&it.strip, is_open(it))) }
                        td { (try_end(it, is_open(it))) }
                    }
                }
            }
        }
    }
}

fn try_end(it: &TimelineTry, is_open: bool) -> Markup {
    match &it.verdict {
        Some(verdict) => match MarkKind::of_word(verdict) {
            Some(kind) => kind.with_word(),
            None => html! { (text::title_case(verdict)) },
        },
        None if is_open => html! { "runs" },
        None => html! { span.none { "-" } },
    }
}
