//! One job.

use fargate_history::UsualPhases;
use fargate_job_journal::{JobState, JobStory, JournalEntry};
use fargate_status_answers::{JobAnswer, JobSurroundings};

/// The answer for one job: its story, its events, usual times; now, the try that is shown, and how many other
/// jobs have its cause.
#[must_use]
pub fn job_answer(
    story: &JobStory,
    events: &[JournalEntry],
    usual: &UsualPhases,
    (now_ms, attempt, same_cause_24h): (u64, Option<u32>, u64),
) -> JobAnswer {
    let around = JobSurroundings {
        now_ms,
        attempt,
        usual: usual.phases.clone(),
        usual_start_ms: usual.total_ms,
        same_cause_24h,
        entries: events,
    };
    JobAnswer::of(story, &around)
}

/// Where the task of a job is stopped: that of the last try, while it starts or runs on this host, and is shown.
#[must_use]
pub fn stop_path(story: &JobStory, answer: &JobAnswer, host: &str) -> Option<String> {
    let last = story.tries.last()?;
    let is_live = matches!(story.state, JobState::Starting | JobState::Running);
    let is_shown = usize::try_from(last.number) == Ok(answer.attempt);
    let id = last.task.as_deref()?.rsplit('/').next()?;
    let is_id = id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_own = story.description.host == host;
    (is_live && is_shown && is_id && is_own).then(|| format!("/tasks/{id}/stop"))
}
