//! The rows of a timeline: one for each phase that a try can go through, with its owner, its length and what
//! is odd about it. Drawing them is for pages and terminals.

use fargate_events::StageVerdict;
use fargate_job_journal::{JobStory, JobVerdict, StageStory, TryStory};
use fargate_model::cause::FailureCause;
use fargate_model::text::{bytes, count};

use crate::phase_times::{
    AlignedTimes, PhaseSpan, milliseconds, phase_of_stage, start_spans, stop_span,
};
use crate::{TimelinePhase, TimelineRow};

/// A wait here that is shorter than this has no row: each job has it. Ours, in milliseconds.
const SHORT_WAIT: u64 = 500;

/// The usual length of each phase, in milliseconds, where it is known.
pub type UsualLengths = [(TimelinePhase, u64)];

/// The rows of this try, in order.
#[must_use]
pub fn timeline_of(story: &JobStory, of: &TryStory, usual: &UsualLengths) -> Vec<TimelineRow> {
    let times = AlignedTimes::of(of);
    let mut rows = Vec::new();
    rows.extend(queued(story, of));
    rows.extend(start_rows(story, of, &times));
    rows.extend(of.stages.iter().map(|stage| stage_row(story, of, stage)));
    rows.extend(stop_row(story, of, &times));
    for row in &mut rows {
        let known = usual.iter().find(|(phase, _)| *phase == row.phase);
        row.usual_ms = known.map(|(_, length)| *length).filter(|_| is_of_start(row.phase));
    }
    rows
}

/// Whether a phase belongs to the start.
#[must_use]
pub fn is_of_start(phase: TimelinePhase) -> bool {
    !matches!(phase, TimelinePhase::OwnStage | TimelinePhase::Script | TimelinePhase::Stop)
}

/// Who holds the job in a phase, and what people call the phase.
#[must_use]
pub fn phase_words(phase: TimelinePhase) -> (&'static str, &'static str) {
    match phase {
        TimelinePhase::Queued => ("queue", "Queued at GitLab"),
        TimelinePhase::Held => ("queue", "Waiting here"),
        TimelinePhase::RunTask => ("AWS", "RunTask"),
        TimelinePhase::Network => ("AWS", "Network"),
        TimelinePhase::Pull => ("AWS", "Image pull"),
        TimelinePhase::Start => ("AWS", "Container start"),
        TimelinePhase::Agent => ("runner", "Agent reached"),
        TimelinePhase::Proof => ("runner", "Host proven"),
        TimelinePhase::OwnStage => ("job", "GitLab's stages"),
        TimelinePhase::Script => ("job", "Script"),
        TimelinePhase::Stop => ("", "Stop"),
    }
}

fn row(span: PhaseSpan) -> TimelineRow {
    let (owner, label) = phase_words(span.phase);
    TimelineRow {
        phase: span.phase,
        owner: owner.to_owned(),
        label: label.to_owned(),
        from_ms: span.from,
        to_ms: span.to.map(|to| to.max(span.from.unwrap_or(to))),
        is_reported: true,
        ..TimelineRow::default()
    }
}

fn queued(story: &JobStory, of: &TryStory) -> Option<TimelineRow> {
    let is_first = story.tries.first().is_some_and(|first| first.number == of.number);
    let queued_ms = milliseconds(story.description.queued_s.filter(|_| is_first)?);
    let from = Some(of.received_ms.saturating_sub(queued_ms));
    Some(row(PhaseSpan { phase: TimelinePhase::Queued, from, to: Some(of.received_ms) }))
}

fn start_rows(story: &JobStory, of: &TryStory, times: &AlignedTimes) -> Vec<TimelineRow> {
    let spans = start_spans(of, times);
    let last_known = spans.iter().rposition(|span| span.from.is_some() || span.to.is_some());
    let mut rows: Vec<TimelineRow> = spans.into_iter().map(row).collect();
    for (n, row) in rows.iter_mut().enumerate() {
        let is_passed = last_known.is_some_and(|last| n < last) || of.ready_ms.is_some();
        let is_of_ecs = row.owner == "AWS" && row.phase != TimelinePhase::RunTask;
        row.is_reported =
            !(is_of_ecs && is_passed && (row.from_ms.is_none() || row.to_ms.is_none()));
        describe(row, story, of);
    }
    if let Some(ended) = end_of_start(of).filter(|_| of.ready_ms.is_none()) {
        mark_failure(&mut rows, story, of, ended);
    }
    let is_short = |row: &TimelineRow| {
        let (from, to) = (row.from_ms.unwrap_or_default(), row.to_ms.unwrap_or(u64::MAX));
        row.phase == TimelinePhase::Held && row.failed.is_none() && to - from < SHORT_WAIT
    };
    rows.retain(|row| !is_short(row));
    rows
}

/// When a start that did not succeed was over.
fn end_of_start(of: &TryStory) -> Option<u64> {
    of.failed_ms.or(of.cleaned_up_ms)
}

/// Adds what stands beside the bar.
fn describe(row: &mut TimelineRow, story: &JobStory, of: &TryStory) {
    match row.phase {
        TimelinePhase::Held => {
            if let Some((_, why)) = &of.waits {
                row.label = match why.cause {
                    FailureCause::Paused => "Paused".to_owned(),
                    FailureCause::Draining => "Draining".to_owned(),
                    _ => row.label.clone(),
                };
                row.note = Some(why.headline());
            }
        }
        TimelinePhase::RunTask if of.refused_launches > 0 => {
            let refused = of.refusals.iter().map(|(at, _)| (*at, "refused".to_owned()));
            row.marks = refused.collect();
            let class = of.refusals.last().map_or("", |(_, report)| report.entry().class);
            row.note = Some(format!("{} refused: {class}", count(of.refused_launches)));
        }
        TimelinePhase::Pull => row.note = story.description.image_bytes.map(bytes),
        TimelinePhase::Start => {
            row.note = match story.description.volumes {
                0 => None,
                1 => Some("1 EFS volume".to_owned()),
                volumes => Some(format!("{volumes} EFS volumes")),
            };
        }
        TimelinePhase::Proof => {
            row.note = of.proof.as_deref().map(|proof| match proof {
                "sts" => "proven by STS".to_owned(),
                "first_use" => "accepted at first use".to_owned(),
                other => format!("proven by {other}"),
            });
        }
        _ => {}
    }
}

/// The first phase that did not end is the one in which the start failed.
fn mark_failure(rows: &mut [TimelineRow], story: &JobStory, of: &TryStory, ended: u64) {
    let Some(n) = rows.iter().position(|row| row.to_ms.is_none() && row.is_reported) else {
        return;
    };
    let before = rows[..n].iter().filter_map(|row| row.to_ms).max();
    let row = &mut rows[n];
    row.from_ms = row.from_ms.or(before).map(|from| from.min(ended));
    row.to_ms = Some(ended);
    let headline = of.causes.first().map(fargate_model::cause::CauseReport::headline);
    row.failed = Some(match headline {
        Some(headline) => headline,
        None if is_timed_out(story, of) => "timed out".to_owned(),
        None => "cancelled".to_owned(),
    });
}

fn is_timed_out(story: &JobStory, of: &TryStory) -> bool {
    story.verdict == Some(JobVerdict::TimedOut) && is_last(story, of)
}

fn is_last(story: &JobStory, of: &TryStory) -> bool {
    story.tries.last().is_some_and(|last| last.number == of.number)
}

fn stage_row(story: &JobStory, of: &TryStory, stage: &StageStory) -> TimelineRow {
    let end = stage.ended_ms.or(of.cleaned_up_ms);
    let span = PhaseSpan { phase: phase_of_stage(stage), from: Some(stage.started_ms), to: end };
    let mut row = row(span);
    row.label.clone_from(&stage.name);
    row.owner = if stage.name == "prepare_script" { "runner" } else { "job" }.to_owned();
    let within = |at: u64| at >= stage.started_ms && end.is_none_or(|end| at <= end);
    let cuts = of.cuts.iter().filter(|(at, _)| within(*at));
    let word = |is_resumed| if is_resumed { "resumed" } else { "cut" };
    row.marks = cuts.map(|(at, is_resumed)| (*at, word(*is_resumed).to_owned())).collect();
    row.note = match stage.resumed {
        0 => None,
        1 => Some("cut and resumed".to_owned()),
        times => Some(format!("cut and resumed {times}x")),
    };
    row.failed = match (stage.verdict, stage.exit) {
        (Some(StageVerdict::Passed), _) => None,
        (Some(StageVerdict::Failed), Some(exit)) => Some(format!("exit {exit}")),
        (Some(StageVerdict::Failed), None) => Some("failed".to_owned()),
        (Some(StageVerdict::SystemFailure), _) => Some(of_cause(of)),
        // gitlab-runner ends a job whose time is over as it ends a cancelled one.
        (Some(StageVerdict::Cancelled), _) if is_timed_out(story, of) => {
            Some("timed out".to_owned())
        }
        (Some(StageVerdict::Cancelled), _) => Some("cancelled".to_owned()),
        (Some(StageVerdict::TimedOut), _) => Some("timed out".to_owned()),
        (None, _) => of.cleaned_up_ms.map(|_| "its process was killed".to_owned()),
    };
    row
}

fn of_cause(of: &TryStory) -> String {
    let first = of.causes.first();
    first.map_or_else(|| "system failure".to_owned(), fargate_model::cause::CauseReport::headline)
}

fn stop_row(story: &JobStory, of: &TryStory, times: &AlignedTimes) -> Option<TimelineRow> {
    let span = stop_span(of, times);
    span.from?;
    let mut row = row(span);
    // After the clean-up nobody may have looked.
    let is_over = story.ended_ms.is_some() || !is_last(story, of);
    row.is_reported = row.to_ms.is_some() || !is_over;
    Some(row)
}

/// Phases side by side, in order and without overlap: names and lengths in milliseconds. The last one goes on
/// until `now_ms` if the try does.
#[must_use]
pub fn strip_of(story: &JobStory, of: &TryStory, now_ms: u64) -> Vec<(String, u64)> {
    let mut at = of.received_ms;
    let mut strip: Vec<(String, u64)> = Vec::new();
    let rows = timeline_of(story, of, &[]);
    for row in rows.iter().filter(|row| row.is_reported) {
        let Some(from) = row.from_ms else { continue };
        if row.phase == TimelinePhase::Queued {
            at = from;
        }
        let to = row.to_ms.unwrap_or(now_ms);
        if to <= at {
            continue;
        }
        let name = strip_name(row.phase);
        let length = to - at;
        match strip.last_mut() {
            Some((last, so_far)) if last == name => *so_far += length,
            _ => strip.push((name.to_owned(), length)),
        }
        at = to;
    }
    strip
}

fn strip_name(phase: TimelinePhase) -> &'static str {
    match phase {
        TimelinePhase::Queued | TimelinePhase::Held => "queue",
        TimelinePhase::RunTask => "run_task",
        TimelinePhase::Network => "network",
        TimelinePhase::Pull => "pull",
        TimelinePhase::Start => "start",
        TimelinePhase::Agent | TimelinePhase::Proof => "agent",
        TimelinePhase::OwnStage => "own_stage",
        TimelinePhase::Script => "script",
        TimelinePhase::Stop => "stop",
    }
}
