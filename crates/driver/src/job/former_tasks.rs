//! Stops what an earlier start of the same job left, before anything new is started: there must never
//! be two tasks of one job.
//!
//! It starts nothing, and leaves the record in place; the new start writes its own.

use fargate_events::{JobEvent, emit};
use fargate_model::cause::{CauseReport, FailureCause};
use fargate_model::job::JobKey;
use fargate_state::{StateError, StateFolder, TaskLocation};
use tokio::time::Instant;

use super::bring_up_error::BringUpError;
use super::clean_up::stop_one;
use crate::context::JobContext;
use crate::task::{find, reason, release};

/// Stops what an earlier `prepare` of this job left, before anything new is started.
pub async fn clear_former(
    context: &JobContext,
    folder: &StateFolder,
    job: &JobKey,
) -> Result<(), BringUpError> {
    let timeouts = context.timeouts();
    let undone = match folder.record(job) {
        Ok(None) => return Ok(()),
        Ok(Some(former)) => {
            emit(JobEvent::FormerFound { launches: former.launches.len() });
            let ecs = context.ecs_in(Some(former.location.region.clone())).await?;
            let why = reason("the job is started again");
            let deadline = Instant::now() + timeouts.task_stop;
            release(
                &ecs,
                &former.launches,
                &why,
                deadline,
                timeouts.task_visibility,
                &context.clock,
            )
            .await
            .undone
        }
        Err(error) => {
            emit(JobEvent::FormerDamaged { message: error.to_string() });
            let location = folder.location_at_least(job, &error);
            stop_what_is_known(context, folder, job, &location, &error).await?
        }
    };
    match undone.first() {
        None => Ok(()),
        Some(first) => Err(CauseReport::new(FailureCause::FormerTaskStays)
            .because(format!("What could not be done: {first}."))
            .into()),
    }
}

/// The record cannot be read. Stops the task that its location names, and all tasks of the job
/// that ECS knows. Without the right to list tasks, the location must be enough.
async fn stop_what_is_known(
    context: &JobContext,
    folder: &StateFolder,
    job: &JobKey,
    location: &TaskLocation,
    damaged: &StateError,
) -> Result<Vec<String>, BringUpError> {
    let deadline = Instant::now() + context.timeouts().task_stop;
    let why = reason("the job is started again");
    let mut undone = match &location.task {
        Some(task) => {
            stop_one(context, (&location.cluster, &location.region), task, &why, deadline).await
        }
        None => Vec::new(),
    };
    let ecs = context.ecs().await?.sharing(folder, context.profile());
    let owner = folder.owner(context.settings.owner.as_deref()).await?.owner;
    let cluster = &context.profile().cluster;
    // A record from a newer version names its last task. A damaged one may not.
    let is_newer = matches!(damaged, StateError::Newer { .. });
    let tasks = match find(&ecs, cluster, Some(&owner), job, deadline).await {
        Ok(tasks) => tasks,
        Err(error) if is_newer && location.task.is_some() && error.denies("ecs:ListTasks") => {
            Vec::new()
        }
        Err(_) => return Err(damaged.why().into()),
    };
    for task in tasks {
        if let Err(error) = ecs.stop(cluster, &task.task, &why).await {
            undone.push(format!("stopping task {}: {error}", task.task));
        }
    }
    Ok(undone)
}
