//! From a request to a task that answers: waits until new jobs are taken, stops what an earlier start
//! left, and provisions a task.
//!
//! It says nothing to people; `report` is told of each step, and the caller chooses the words.

use fargate_events::{JobEvent, emit};
use fargate_state::StateFolder;
use tokio::time::Instant;

use super::bring_up_error::BringUpError;
use super::former_tasks::clear_former;
use super::provision::{ProvisionedTask, provision};
use super::task_request::TaskRequest;
use super::wait_for_hold;
use crate::context::JobContext;
use crate::session::CancelSignals;
use crate::task::TaskStartProgress;

/// Brings up the task of a job whose start began at `began`. The time in which a person holds new jobs
/// does not count against `timeouts.prepare`.
///
/// # Errors
///
/// Returns [`BringUpError`] if the task did not come up, or the job was cancelled. Then no task is left
/// running, or the record names it for [`clean_up()`](super::clean_up()).
pub async fn bring_up(
    context: &JobContext,
    request: &TaskRequest,
    folder: &StateFolder,
    stops: &mut CancelSignals,
    began: Instant,
    report: &mut dyn FnMut(TaskStartProgress<'_>),
) -> Result<ProvisionedTask, BringUpError> {
    context.events.scope(bring_up_in_scope(context, request, folder, stops, began, report)).await
}

async fn bring_up_in_scope(
    context: &JobContext,
    request: &TaskRequest,
    folder: &StateFolder,
    stops: &mut CancelSignals,
    began: Instant,
    report: &mut dyn FnMut(TaskStartProgress<'_>),
) -> Result<ProvisionedTask, BringUpError> {
    let timeouts = context.timeouts();
    // Held until the task answers: a second start of the same job would stop this one's task.
    let (_only_start, held) =
        wait_for_hold::enter(folder, &request.job, timeouts, stops, report).await?;
    emit(JobEvent::JobAdmitted { waited_ms: u64::try_from(held.as_millis()).unwrap_or(u64::MAX) });
    clear_former(context, folder, &request.job).await?;
    let deadline = began + held + timeouts.prepare;
    Ok(provision(context, request, folder, stops, deadline, report).await?)
}
