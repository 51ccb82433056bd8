//! Undoes a start that failed or was cancelled: stops its tasks, and remembers a cause that the next try
//! would meet again. What it cannot stop stays in the record for the clean-up.

use fargate_events::{JobEvent, emit};
use fargate_model::cause::{CauseReport, FailureCause, ResponsibleParty, RetryDecision};
use fargate_state::JobRecordWriter;
use tokio::time::Instant;

use super::cancelled_task::CancelledTask;
use super::provision_error::ProvisionError;
use crate::context::JobContext;
use crate::task::{EcsClient, reason, release};

/// Stops what was started, with a deadline of its own, and remembers a cause that the next try
/// would meet again.
pub async fn take_back(
    context: &JobContext,
    ecs: &EcsClient,
    record_writer: &mut JobRecordWriter,
    error: ProvisionError,
) -> ProvisionError {
    let record = record_writer.record_now();
    let (why, failure) = match &error {
        ProvisionError::Cancelled { .. } => ("the job was cancelled", None),
        ProvisionError::Why(why) => ("the task did not come up", lasting(why)),
    };
    // What ECS said while the answer to another RunTask was lost may be over once that task is stopped.
    let is_open = record.launches.iter().any(|launch| !launch.settled);
    let failure = failure.filter(|_| !is_open);
    let (timeouts, clock) = (context.timeouts(), &context.clock);
    let deadline = Instant::now() + timeouts.task_stop;
    let why = reason(why);
    let released =
        release(ecs, &record.launches, &why, deadline, timeouts.task_visibility, clock).await;
    let error = match error {
        ProvisionError::Cancelled { .. } => {
            ProvisionError::Cancelled { task: CancelledTask::of(record, &released) }
        }
        error => error,
    };
    let written = if released.undone.is_empty() {
        record_writer.bury(failure).await
    } else {
        record_writer
            .update(|record| {
                record.failure = failure;
                record.ready = false;
            })
            .await
    };
    if let Err(error) = written {
        emit(JobEvent::StateNotWritten { message: error.to_string() });
    }
    error
}

/// Returns the cause if the next try would meet it again.
///
/// A wrong set-up stays wrong for more than a few seconds. Other causes may pass: missing
/// credentials, an address that EC2 told late, and a container beside the job's. Another machine in
/// the task's place is never tried again.
fn lasting(why: &CauseReport) -> Option<CauseReport> {
    let entry = why.entry();
    let set_up = entry.next == RetryDecision::Final && entry.who == ResponsibleParty::Setup;
    let may_mend = matches!(
        why.cause,
        FailureCause::Credentials
            | FailureCause::CredentialsMissing
            | FailureCause::AwsProfile
            | FailureCause::NoPublicAddress
            | FailureCause::ContainerEnded
    );
    let is_of_security = entry.class == "security";
    let lasts = set_up && !may_mend || is_of_security;
    lasts.then(|| why.clone())
}
