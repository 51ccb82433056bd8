//! Lets the start of a job begin: only one at a time for a job, and none while a person holds new jobs.
//!
//! A held job waits, because a forge may try a failed start again only a few times, within seconds
//! (gitlab-runner: three times). It fails only after `timeouts.paused_host`. Who holds jobs and why is known in `fargate-state`.

use std::time::Duration;

use fargate_config::JobTimeouts;
use fargate_events::{JobEvent, JobFact, emit, emit_fact};
use fargate_model::backoff::jittered;
use fargate_model::job::JobKey;
use fargate_model::text::duration;
use fargate_state::{FileLock, StateFolder};
use tokio::time::{Instant, sleep_until};

use super::bring_up_error::BringUpError;
use super::cancelled_task::CancelledTask;
use crate::session::CancelSignals;
use crate::task::TaskStartProgress;

/// Longest pause between two looks at the file that holds jobs.
const LONGEST_LOOK: Duration = Duration::from_secs(1);

/// Waits until new jobs are taken. From then on, this start is the only one of its job. Also returns
/// how long that took.
///
/// # Errors
///
/// Returns [`BringUpError`] if another start of this job runs, if a signal comes, if the wait
/// takes too long, or if an earlier try failed for a lasting reason.
pub async fn enter(
    folder: &StateFolder,
    key: &JobKey,
    timeouts: &JobTimeouts,
    stops: &mut CancelSignals,
    report: &mut dyn FnMut(TaskStartProgress<'_>),
) -> Result<(FileLock, Duration), BringUpError> {
    let begun = Instant::now();
    let mut told = false;
    loop {
        // Take the lock before looking at the file. Then a person who writes the file either sees
        // this job, or this job sees the file.
        let sole = folder.lock_prepare(key).await?;
        if let Some(failure) = folder.tombstone(key).and_then(|tombstone| tombstone.failure) {
            return Err(BringUpError::SameAsBefore(Box::new(failure)));
        }
        let Some(why) = folder.intake().why() else { return Ok((sole, begun.elapsed())) };
        drop(sole);
        if !told {
            emit(JobEvent::JobsHeld {
                who: None,
                note: None,
                cause: Some(why.cause),
                message: Some(why.headline()),
            });
            emit_fact(JobFact::Waits { report: Box::new(why.clone()) });
            told = true;
        }
        let limit = timeouts.paused_host;
        report(TaskStartProgress::Held { why: &why, waited: begun.elapsed(), limit });
        let again = Instant::now() + jittered(timeouts.ecs_poll_max.min(LONGEST_LOOK));
        if again >= begun + timeouts.paused_host {
            let waited = duration(timeouts.paused_host);
            return Err(why.because(format!("Waited {waited}, then gave up.")).into());
        }
        tokio::select! {
            () = sleep_until(again) => {}
            _ = stops.next() => return Err(cancelled_before_start()),
        }
    }
}

fn cancelled_before_start() -> BringUpError {
    BringUpError::Cancelled { task: CancelledTask::NotStarted }
}
