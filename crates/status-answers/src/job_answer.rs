//! The answer about one job, from its story and what is known around it.

use std::time::Duration;

use fargate_job_journal::{JobState, JobStory, JobVerdict, JournalEntry, StageStory, TryStory};
use fargate_model::text::ticking;

use crate::answer_words::{exit_meaning, length, stage_verdict, titled};
use crate::event_lines::event_line;
use crate::job_facts::job_facts;
use crate::job_why::causes_of;
use crate::phase_times::{AlignedTimes, current_phase};
use crate::timeline::{phase_words, strip_of, timeline_of};
use crate::{JobAnswer, StageRow, TimelinePhase, TimelineTry, WhyAnswer};

/// What the answer about a job needs beside its story.
#[derive(Clone, Debug, Default)]
pub struct JobSurroundings<'a> {
    /// Now: milliseconds since 1970.
    pub now_ms: u64,
    /// The number of the try to show; the last one unless given.
    pub attempt: Option<u32>,
    /// The usual length of the phases of a start, of the same image and size.
    pub usual: Vec<(TimelinePhase, u64)>,
    /// The usual length of the whole start.
    pub usual_start_ms: Option<u64>,
    /// Other jobs with the same cause in the last 24 hours.
    pub same_cause_24h: u64,
    /// The entries to show as events.
    pub entries: &'a [JournalEntry],
}

impl JobAnswer {
    /// The answer about this job.
    #[must_use]
    pub fn of(story: &JobStory, around: &JobSurroundings<'_>) -> Self {
        let nothing = TryStory { number: 1, received_ms: story.received_ms, ..Default::default() };
        let shown = shown_try(story, around.attempt).unwrap_or(&nothing);
        let mut causes = causes_of(story, shown).into_iter();
        let why = causes.next().map(|report| WhyAnswer::of(&report));
        let about = &story.description;
        let times = AlignedTimes::of(shown);
        let lived_until = story.ended_ms.unwrap_or(around.now_ms);
        let last = story.tries.last().unwrap_or(&nothing);
        let mut answer = Self {
            key: story.key.clone(),
            id: about.id.clone(),
            state: story.state.into(),
            verdict: story.verdict.map(Into::into),
            name: about.name.clone(),
            project: about.project.clone(),
            git_ref: about.git_ref.clone(),
            sha: about.sha.clone(),
            pipeline: about.pipeline,
            user: about.user.clone().or_else(|| about.user_id.map(|id| format!("user {id}"))),
            profile: about.profile.clone(),
            host: about.host.clone(),
            size: about.size.map(|size| size.to_string()),
            capacity: capacity_of(shown),
            zone: shown.times.zone.clone(),
            image: about.image.clone(),
            image_digest: about.image_digest.clone(),
            forge_url: about.forge_url.clone(),
            console_url: shown.task.as_deref().and_then(crate::ecs_console_url),
            received_ms: story.received_ms,
            ended_ms: story.ended_ms,
            lived_ms: Some(lived_until.saturating_sub(story.received_ms)),
            started_in_ms: started_in(last),
            usual_start_ms: around.usual_start_ms,
            cost_micro_usd: total_cost(story),
            queue_size: about.queue_size,
            why,
            then: causes.map(|report| WhyAnswer::of(&report)).collect(),
            same_cause_24h: around.same_cause_24h,
            attempt: usize::try_from(shown.number).unwrap_or(usize::MAX),
            tries: story.tries.iter().map(|of| a_try(story, of, around.now_ms)).collect(),
            timeline: timeline_of(story, shown, &around.usual),
            stages: shown.stages.iter().map(stage_row).collect(),
            facts: job_facts(story, shown),
            events: around.entries.iter().map(event_line).collect(),
            damaged_after_ms: story.damaged_after_ms,
            clock_shift_ms: Some(times.shift_ms).filter(|shift| *shift != 0),
            ..Self::default()
        };
        answer.answer = sentence(story, last, around, &answer);
        answer
    }
}

fn shown_try(story: &JobStory, number: Option<u32>) -> Option<&TryStory> {
    let asked = number.and_then(|number| story.tries.iter().find(|of| of.number == number));
    asked.or(story.tries.last())
}

/// How long a start took, from received until the task was ready.
fn started_in(of: &TryStory) -> Option<u64> {
    Some(of.ready_ms?.saturating_sub(of.received_ms))
}

/// All tries together; `None` if one of them has no cost.
fn total_cost(story: &JobStory) -> Option<u64> {
    story.tries.iter().map(|of| of.cost_micro_usd).sum()
}

fn capacity_of(of: &TryStory) -> Option<String> {
    let named = of.times.capacity.as_ref().or(of.asked_capacity.as_ref());
    let is_spot = named.is_some_and(|name| name == "FARGATE_SPOT");
    of.task.as_ref()?;
    Some(if is_spot { "Spot" } else { "on demand" }.to_owned())
}

fn a_try(story: &JobStory, of: &TryStory, now_ms: u64) -> TimelineTry {
    let is_last = story.tries.last().is_some_and(|last| last.number == of.number);
    let ended = if is_last { story.ended_ms } else { of.cleaned_up_ms.or(of.failed_ms) };
    let headline = causes_of(story, of).first().map(fargate_model::cause::CauseReport::headline);
    let verdict = match (is_last, story.verdict) {
        (true, Some(JobVerdict::Passed)) => Some("passed".to_owned()),
        (true, None) => headline.filter(|_| of.failed_ms.is_some()),
        _ => headline,
    };
    TimelineTry {
        number: of.number,
        verdict,
        started_ms: of.received_ms,
        ended_ms: ended,
        strip: strip_of(story, of, ended.unwrap_or(now_ms)),
    }
}

fn stage_row(stage: &StageStory) -> StageRow {
    StageRow {
        name: stage.name.clone(),
        started_ms: stage.started_ms,
        took_ms: stage.ended_ms.map(|ended| ended.saturating_sub(stage.started_ms)),
        exit: stage.exit,
        exit_meaning: stage.exit.and_then(exit_meaning),
        output_bytes: stage.output_bytes,
        resumed: stage.resumed,
        verdict: stage.verdict.map(|verdict| stage_verdict(verdict).to_owned()),
    }
}

/// What became of the job, in one sentence.
fn sentence(
    story: &JobStory,
    of: &TryStory,
    around: &JobSurroundings<'_>,
    answer: &JobAnswer,
) -> String {
    let since = |from: u64| ticking(Duration::from_millis(around.now_ms.saturating_sub(from)));
    let headline = answer.why.as_ref().map(|why| why.headline.clone());
    let phase = || {
        let (phase, from) = current_phase(of)?;
        Some(format!("{} for {}", phase_words(phase).1, since(from)))
    };
    match story.state {
        JobState::Waiting => match headline {
            Some(why) => format!("Waits {}: {why}.", since(of.received_ms)),
            None => format!("Waits {}. No reason is known yet.", since(of.received_ms)),
        },
        JobState::Starting if of.ready_ms.is_some() => {
            "Its task is ready, and no script has begun yet.".to_owned()
        }
        JobState::Starting => {
            let phase = phase().map_or_else(String::new, |phase| format!(" {phase}."));
            format!("Starts since {}.{phase}", since(of.received_ms))
        }
        JobState::Running => match of.stages.iter().find(|stage| stage.ended_ms.is_none()) {
            Some(stage) => format!("Runs {} for {}.", stage.name, since(stage.started_ms)),
            None => "Runs, between two stages.".to_owned(),
        },
        JobState::Stopping => match headline {
            Some(why) => format!("{}. Its task is being stopped.", titled(&why)),
            None => "Its task is being stopped.".to_owned(),
        },
        JobState::Finished => ended_sentence(story, answer, headline),
    }
}

fn ended_sentence(story: &JobStory, answer: &JobAnswer, headline: Option<String>) -> String {
    let lived = length(answer.lived_ms.unwrap_or_default());
    match (story.verdict, headline) {
        (Some(JobVerdict::Passed), _) => {
            let started = match (answer.started_in_ms, answer.usual_start_ms) {
                (Some(took), Some(usual)) => {
                    format!(" Started in {}, usual {}.", length(took), length(usual))
                }
                (Some(took), None) => format!(" Started in {}.", length(took)),
                (None, _) => String::new(),
            };
            format!("Passed in {lived}.{started}")
        }
        (Some(JobVerdict::Cancelled), _) => format!("Cancelled after {lived}."),
        (Some(JobVerdict::Failed | JobVerdict::TimedOut), Some(why)) => {
            format!("{}.", titled(&why))
        }
        (_, Some(why)) => format!("System failure: {why}."),
        (_, None) => format!("Ended after {lived}; how is not known."),
    }
}
