//! Why a job waits or why it failed, from its story. The first cause of a try is the cause, later ones followed
//! from it. Where nobody told a cause, the story itself gives one.

use std::time::Duration;

use fargate_job_journal::{JobState, JobStory, JobVerdict, StageStory, TryStory};
use fargate_model::cause::{CauseReport, FailureCause};
use fargate_model::text::{bytes, duration};

use crate::answer_words::length;

/// The cause of this try first, then what followed. Empty if it passed, or if nothing is known to be wrong.
#[must_use]
pub fn causes_of(story: &JobStory, of: &TryStory) -> Vec<CauseReport> {
    let is_last = story.tries.last().is_some_and(|last| last.number == of.number);
    let mut causes = match (is_last, story.state, story.verdict) {
        (true, JobState::Finished, Some(JobVerdict::Passed)) => return Vec::new(),
        (true, JobState::Finished, verdict) => of_ended(story, of, verdict),
        (true, JobState::Waiting, _) if of.failed_ms.is_none() => of_waiting(of),
        // A stage may have failed while others still run.
        _ => of.causes.clone(),
    };
    for report in &mut causes {
        let id = story.description.id.clone();
        if !id.is_empty() {
            report.facts.entry("id".to_owned()).or_insert(id);
        }
    }
    causes
}

/// Why a try waits: what it was refused last, else why it was not let through.
fn of_waiting(of: &TryStory) -> Vec<CauseReport> {
    let refused = of.refusals.last().map(|(_, report)| {
        let since = of.refusals.first().map_or(0, |(first, _)| *first);
        let last = of.refusals.last().map_or(0, |(last, _)| *last);
        let report = report.clone();
        match of.refused_launches {
            0 | 1 => report,
            times => report.because(format!(
                "Refused {times} times in {}.",
                duration(Duration::from_millis(last.saturating_sub(since)))
            )),
        }
    });
    let held = of.waits.as_ref().map(|(_, report)| report.clone());
    refused.or(held).into_iter().collect()
}

fn of_ended(story: &JobStory, of: &TryStory, verdict: Option<JobVerdict>) -> Vec<CauseReport> {
    match verdict {
        Some(JobVerdict::Cancelled) => vec![cancelled(of)],
        Some(JobVerdict::TimedOut) => vec![timed_out(story, of)],
        _ if !of.causes.is_empty() => of.causes.clone(),
        Some(JobVerdict::Failed) => of.stages.iter().filter_map(script_failed).take(1).collect(),
        _ => vec![killed(of)],
    }
}

fn cancelled(of: &TryStory) -> CauseReport {
    let report = CauseReport::new(FailureCause::Cancelled);
    let stopped = of.stages.iter().find(|stage| stage.verdict.is_some_and(is_cancelled));
    match stopped {
        Some(stage) => {
            let ran = stage.ended_ms.unwrap_or(stage.started_ms) - stage.started_ms;
            report.because(format!("{} had run for {}.", stage.name, length(ran)))
        }
        None => report.because("No script was running."),
    }
}

fn is_cancelled(verdict: fargate_events::StageVerdict) -> bool {
    verdict == fargate_events::StageVerdict::Cancelled
}

fn timed_out(story: &JobStory, of: &TryStory) -> CauseReport {
    let limit = story.description.timeout_s.map(|limit| duration(Duration::from_secs(limit)));
    let report =
        CauseReport::new(FailureCause::JobTimeout).with("limit", limit.unwrap_or_default());
    match of.stages.last() {
        Some(stage) => {
            let ran = stage.ended_ms.unwrap_or(story.changed_ms).saturating_sub(stage.started_ms);
            report.because(format!("{} had run for {}.", stage.name, length(ran)))
        }
        None => report.because("No script had begun."),
    }
}

fn script_failed(stage: &StageStory) -> Option<CauseReport> {
    let exit = stage.exit.filter(|exit| *exit != 0)?;
    let took = length(stage.ended_ms?.saturating_sub(stage.started_ms));
    let output = bytes(stage.output_bytes);
    let report = CauseReport::new(FailureCause::ScriptFailed).with("code", exit.to_string());
    Some(report.because(format!("{} ended after {took}; {output} of output.", stage.name)))
}

/// Nobody told how it ended, so the process that would have told was killed.
fn killed(of: &TryStory) -> CauseReport {
    let open = of.stages.iter().find(|stage| stage.ended_ms.is_none());
    let stage = match (open, of.ready_ms) {
        (Some(stage), _) => stage.name.as_str(),
        (None, None) => "prepare",
        (None, Some(_)) => "",
    };
    let report = CauseReport::new(FailureCause::DriverKilled).with("stage", stage);
    report.because("It told no end before the job was cleaned up.")
}
