//! The end of a job: stops its task and leaves a tombstone.
//!
//! It may come before the job's start, twice, ten times at once, or while a script runs. It never waits
//! until the task is STOPPED.

use std::time::Duration;

use fargate_events::{JobEvent, emit};
use fargate_model::id::TaskArn;
use fargate_model::job::JobKey;
use fargate_state::{JobRecord, StateError, StateFolder, TaskLocation};
use tokio::time::Instant;

use super::keep_task::{JobTraces, keep_if_failed};
use crate::context::JobContext;
use crate::task::{find, reason, release, stop};

/// Longest look at ECS for a job of which nothing is known here. It must not delay a pipeline.
const BLIND_LOOK: Duration = Duration::from_secs(10);

/// What a clean-up could not do, in words for the operator. Empty if everything is done.
pub type CleanupFailures = Vec<String>;

/// Cleans up after the job `key`. If the job failed and its task is to be kept, the clean-up needs to
/// know its secrets as `traces`; without them it stops the task.
///
/// # Errors
///
/// Returns [`StateError`] if not even the state folder can be used. If something could not be
/// stopped, that is no error: the job's verdict does not change, the record remains for the next
/// clean-up, and the agent's own timers end the task.
pub async fn clean_up(
    context: &JobContext,
    key: &JobKey,
    traces: Option<&JobTraces>,
) -> Result<CleanupFailures, StateError> {
    context.events.scope(clean_up_in_scope(context, key, traces)).await
}

/// Stops a task that is kept, before its time is over.
///
/// # Errors
///
/// As [`clean_up()`].
pub async fn release_kept(
    context: &JobContext,
    folder: &StateFolder,
    seen: &JobRecord,
) -> Result<CleanupFailures, StateError> {
    context.events.scope(release_in_scope(context, folder, seen)).await
}

async fn release_in_scope(
    context: &JobContext,
    folder: &StateFolder,
    seen: &JobRecord,
) -> Result<CleanupFailures, StateError> {
    match folder.take_over_seen(seen).await? {
        Some(record) => stop_all(folder, &record, context).await,
        None => Err(StateError::TakenOver),
    }
}

async fn clean_up_in_scope(
    context: &JobContext,
    key: &JobKey,
    traces: Option<&JobTraces>,
) -> Result<CleanupFailures, StateError> {
    emit(JobEvent::CleanupStarted {});
    let timeouts = context.timeouts();
    let folder = StateFolder::open(&context.settings.state_dir, timeouts.state_lock)?;
    let undone = match folder.take_over(key).await {
        Ok(Some(record)) => with_record(&folder, &record, context, traces).await?,
        Ok(None) if folder.tombstone(key).is_some() => Vec::new(),
        Ok(None) => without_state(&folder, context, key).await?.unwrap_or_default(),
        Err(error) => {
            if !matches!(error, StateError::Newer { .. }) {
                emit(JobEvent::StateDamaged { message: error.to_string() });
            }
            with_location(&folder, context, key, &folder.location_at_least(key, &error)).await?
        }
    };
    emit(JobEvent::CleanupDone { undone: undone.len() });
    folder.sweep(key, timeouts.tombstone_retention).await;
    for what in &undone {
        emit(JobEvent::CleanupUndone { message: what.clone() });
    }
    Ok(undone)
}

async fn with_record(
    folder: &StateFolder,
    record: &JobRecord,
    context: &JobContext,
    traces: Option<&JobTraces>,
) -> Result<CleanupFailures, StateError> {
    record.note_in_log();
    let is_kept = match record.kept {
        Some(kept) => kept.time_left(context.clock.now()).is_some(),
        None => keep_if_failed(context, folder, record, traces).await,
    };
    if is_kept { Ok(Vec::new()) } else { stop_all(folder, record, context).await }
}

/// Stops all tasks of a record that was taken over, and leaves a tombstone.
async fn stop_all(
    folder: &StateFolder,
    record: &JobRecord,
    context: &JobContext,
) -> Result<CleanupFailures, StateError> {
    let timeouts = context.timeouts();
    let deadline = Instant::now() + timeouts.cleanup;
    let mut undone = Vec::new();
    if !record.launches.is_empty() {
        let why = reason(&format!("clean-up of job {}", record.job_id));
        match context.ecs_in(Some(record.location.region.clone())).await {
            Ok(ecs) => {
                let launches = &record.launches;
                let (visible, clock) = (timeouts.task_visibility, &context.clock);
                undone = release(&ecs, launches, &why, deadline, visible, clock).await.undone;
            }
            Err(why) => undone.push(why.headline()),
        }
    }
    if undone.is_empty() {
        folder.bury(&record.job, Some(record)).await?;
    } else {
        folder.keep_undone(record).await?;
    }
    Ok(undone)
}

/// Cleans up when this host knows nothing of the job. It asks ECS for tasks of this host. If the
/// host's name was lost as well, and a new one made, it asks for all tasks of the cluster. Returns
/// `None` if this host may not list tasks.
async fn without_state(
    folder: &StateFolder,
    context: &JobContext,
    key: &JobKey,
) -> Result<Option<CleanupFailures>, StateError> {
    let owner = match folder.owner(context.settings.owner.as_deref()).await {
        // The name counts as lost. A name that a stranger wrote is not used.
        Err(error @ StateError::Distrusted { .. }) => {
            emit(JobEvent::StateDistrusted { message: error.to_string() });
            None
        }
        Err(error @ StateError::HostName { .. }) => {
            emit(JobEvent::StateDamaged { message: error.to_string() });
            None
        }
        owner => Some(owner?).filter(|owner| !owner.is_new),
    };
    let timeouts = context.timeouts();
    let deadline = Instant::now() + timeouts.cleanup.min(BLIND_LOOK);
    let ecs = match context.ecs().await {
        Ok(ecs) => ecs.sharing(folder, context.profile()),
        Err(why) => return Ok(Some(vec![why.headline()])),
    };
    let cluster = &context.profile().cluster;
    let ours = owner.as_ref().map(|owner| Some(&owner.owner));
    let anyones = context.settings.owner.is_none().then_some(None);
    let mut tasks = Vec::new();
    for owner in ours.into_iter().chain(anyones) {
        match find(&ecs, cluster, owner, key, deadline).await {
            Ok(found) => tasks = found,
            Err(error) if error.denies("ecs:ListTasks") => {
                let lost = "a task of this job, if there is one, is left to its own timers";
                emit(JobEvent::RightMissing {
                    action: "ecs:ListTasks".to_owned(),
                    message: format!("{lost}: {error}"),
                });
                return Ok(None);
            }
            Err(error) => {
                return Ok(Some(vec![format!("looking for a task of this job: {error}")]));
            }
        }
        if !tasks.is_empty() {
            break;
        }
    }
    let mut undone = Vec::new();
    for task in tasks {
        let why = reason("clean-up of a job whose state was lost");
        match stop(&ecs, cluster, &task.task, &why, deadline, || false).await {
            Ok(()) => emit(JobEvent::TaskStopping { task: task.task, message: None }),
            Err(error) => undone.push(format!("stopping task {}: {error}", task.task)),
        }
    }
    Ok(Some(undone))
}

/// Cleans up with a record that cannot be read, because it is damaged or from a newer version. The
/// part of its location that is known is enough to stop the task.
async fn with_location(
    folder: &StateFolder,
    context: &JobContext,
    key: &JobKey,
    location: &TaskLocation,
) -> Result<CleanupFailures, StateError> {
    let TaskLocation { cluster, region, task, .. } = location;
    let undone = match task {
        Some(task) => {
            let deadline = Instant::now() + context.timeouts().cleanup;
            let why = reason("clean-up of a job whose record cannot be read");
            stop_one(context, (cluster, region), task, &why, deadline).await
        }
        None => without_state(folder, context, key).await?.unwrap_or_else(|| {
            vec!["the record names no task, and ecs:ListTasks is refused".to_owned()]
        }),
    };
    if undone.is_empty() {
        folder.bury(key, None).await?;
    }
    Ok(undone)
}

/// Stops a task in this cluster and Region.
pub(super) async fn stop_one(
    context: &JobContext,
    (cluster, region): (&str, &str),
    task: &TaskArn,
    why: &str,
    deadline: Instant,
) -> CleanupFailures {
    let region = Some(region.to_owned()).filter(|region| !region.is_empty());
    let ecs = match context.ecs_in(region).await {
        Ok(ecs) => ecs,
        Err(why) => return vec![why.headline()],
    };
    match stop(&ecs, cluster, task, why, deadline, || false).await {
        Ok(()) => Vec::new(),
        Err(error) => vec![format!("stopping task {task}: {error}")],
    }
}
