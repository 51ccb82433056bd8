//! The door of `prepare`: one at a time for a job, and none while a person holds new jobs.
//!
//! A held job waits, because gitlab-runner gives a job that fails to start only three tries within
//! seconds; it fails only once `timeouts.paused_host` is over.

use std::time::Duration;

use fargate_config::JobTimeouts;
use fargate_events::{JobEvent, emit};
use fargate_model::backoff::jittered;
use fargate_model::job::JobKey;
use fargate_model::text::duration;
use fargate_state::{FileLock, StateFolder};
use tokio::time::{Instant, sleep_until};

use super::StageError;
use super::joblog::JobLog;
use crate::session::CancelSignals;

/// Longest pause between two looks at the file that holds jobs.
const LONGEST_LOOK: Duration = Duration::from_secs(1);

/// Waits until new jobs are taken; then this `prepare` is the job's only one. Also says how long that
/// took.
///
/// # Errors
///
/// [`StageError`]: another `prepare` of this job runs, a signal came, the time for waiting is over, or
/// an earlier try has failed for good.
pub async fn enter(
    folder: &StateFolder,
    key: &JobKey,
    timeouts: &JobTimeouts,
    stops: &mut CancelSignals,
    log: &mut JobLog<'_>,
) -> Result<(FileLock, Duration), StageError> {
    let begun = Instant::now();
    let mut told = false;
    loop {
        // Taken before the look at the file, so that whoever writes it sees this job or is seen by it.
        let sole = folder.lock_prepare(key).await?;
        if let Some(failure) = folder.tombstone(key).and_then(|tombstone| tombstone.failure) {
            return Err(StageError::SameAsBefore(Box::new(failure)));
        }
        let Some(why) = folder.intake().why() else { return Ok((sole, begun.elapsed())) };
        drop(sole);
        if !told {
            emit(JobEvent::IntakeHeld {
                who: None,
                note: None,
                cause: Some(why.cause),
                message: Some(why.headline()),
            });
            told = true;
        }
        log.held(&why, begun.elapsed(), timeouts.paused_host);
        let again = Instant::now() + jittered(timeouts.ecs_poll_max.min(LONGEST_LOOK));
        if again >= begun + timeouts.paused_host {
            let waited = duration(timeouts.paused_host);
            return Err(why.because(format!("Waited {waited}, then gave up.")).into());
        }
        tokio::select! {
            () = sleep_until(again) => {}
            _ = stops.next() => return Err(StageError::Cancelled { task: None }),
        }
    }
}
