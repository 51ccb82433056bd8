//! The stage `prepare`: from a job to a task whose agent answers. At its end, the state folder
//! holds everything that `run` needs.
//!
//! The state file is written before RunTask. A `prepare` that was interrupted or repeated never
//! leaves two tasks.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use fargate_events::{JobEvent, emit};
use fargate_model::cause::{CauseReport, ColourMode, FailureCause};
use fargate_model::job::JobKey;
use fargate_state::{RunnerProcess, StateError, StateFolder, TaskLocation, TaskOrigin};
use tokio::time::Instant;

use super::StageError;
use super::admission;
use super::cleanup::stop_one;
use super::joblog::JobLog;
use super::response::JobResponse;
use crate::context::JobContext;
use crate::provision::{CancelledTask, ProvisionError, ProvisionedTask, TaskRequest, provision};
use crate::session::{CancelRequest, CancelSignals, ScriptSignal, TaskSession};
use crate::task::{find, reason, release};

/// Brings up the job's task, and writes the job's log to `out`.
///
/// # Errors
///
/// Returns [`StageError`] if the task did not come up, or a signal came. Then no task is left
/// running, or the state file names it for `cleanup`.
pub async fn prepare(
    context: &JobContext,
    response: &JobResponse,
    out: &mut (dyn Write + Send),
    colour: ColourMode,
) -> Result<(), StageError> {
    let mut log = JobLog::new(out, colour, context);
    let began = Instant::now();
    let result = match bring_up(context, response, began, &mut log).await {
        Ok((ProvisionedTask { acquired, .. }, stops)) => {
            let task = acquired.seen.task.clone();
            if let TaskSession::Agent(agent) = &acquired.session {
                let words = agent.agent.too_old();
                words.iter().for_each(|words| log.note(&format!("Warning: {words}")));
            }
            let took = began.elapsed();
            log.ready(&acquired, context.profile().host_key, took);
            acquired.session.close().await;
            let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            let ended = unless_cancelled(stops, task.short()).await;
            ended.inspect(|()| emit(JobEvent::PrepareDone { task, took_ms }))
        }
        Err(error) => Err(error),
    };
    match result {
        Ok(()) => Ok(()),
        Err(error) => {
            emit(JobEvent::PrepareFailed {
                cause: error.why().map(|why| why.cause),
                message: error.to_string(),
            });
            log.failed(&error);
            Err(error)
        }
    }
}

/// Fails if a signal came in the last moments, because it must not be answered by success. The
/// clean-up that follows finds a complete record.
async fn unless_cancelled(mut stops: CancelSignals, task: String) -> Result<(), StageError> {
    tokio::select! {
        biased;
        _ = stops.next() => {
            Err(StageError::Cancelled { task: Some(CancelledTask::Stopping(task)) })
        }
        () = std::future::ready(()) => Ok(()),
    }
}

async fn bring_up(
    context: &JobContext,
    response: &JobResponse,
    began: Instant,
    log: &mut JobLog<'_>,
) -> Result<(ProvisionedTask, CancelSignals), StageError> {
    let timeouts = context.timeouts();
    // Nothing runs in the task yet, so a signal only ends this process.
    let stop = CancelRequest {
        signal: ScriptSignal::Term,
        grace: Duration::ZERO,
        leave_after: Duration::ZERO,
    };
    let mut stops = CancelSignals::new(&context.cancel, stop);
    emit(JobEvent::JobReceived {
        project: response.identity.project,
        timeout_s: response.timeout.map(|timeout| timeout.as_secs()),
    });
    if response.untrusted {
        emit(JobEvent::IdentityUntrusted {});
        log.note("Warning: gitlab-runner gave no response file, so this job is known only by variables that it can set itself");
    }
    let folder = StateFolder::open(&context.settings.state_dir, timeouts.state_lock)?;
    if let Some(shared) = StateFolder::shared_with_others(&context.settings.state_dir) {
        let message = format!("{}: {}", context.settings.state_dir.display(), shared.what);
        emit(JobEvent::StateShared { message });
    }
    let key = response.identity.key();
    let (_sole, held) = admission::enter(&folder, &key, timeouts, &mut stops, log).await?;
    emit(JobEvent::JobAdmitted { waited_ms: u64::try_from(held.as_millis()).unwrap_or(u64::MAX) });
    let tries = folder.tombstone(&key).unwrap_or_default().tries;
    clear_former(context, &folder, &key).await?;
    let order = order(context, response, key, tries);
    let deadline = began + held + timeouts.prepare;
    let mut report = |event: crate::task::TaskStartEvent<'_>| log.tell(&event);
    match provision(context, &order, &folder, &mut stops, deadline, &mut report).await {
        Ok(provisioned) => Ok((provisioned, stops)),
        Err(ProvisionError::Why(why)) => Err(StageError::System(why)),
        Err(ProvisionError::Cancelled { task }) => Err(StageError::Cancelled { task: Some(task) }),
    }
}

fn order(context: &JobContext, response: &JobResponse, job: JobKey, tries: u32) -> TaskRequest {
    let timeouts = context.timeouts();
    let project = response.project_path.clone();
    let project = project.unwrap_or_else(|| response.identity.project.to_string());
    let mut tags = BTreeMap::from([("project", project)]);
    tags.extend(response.pipeline.map(|pipeline| ("pipeline", pipeline.to_string())));
    tags.extend(context.profile().name.clone().map(|name| ("profile", name)));
    TaskRequest {
        origin: TaskOrigin::Gitlab,
        job,
        job_id: response.name(),
        tries,
        lifetime: response.timeout.unwrap_or(timeouts.default_job_timeout)
            + timeouts.lifetime_margin,
        idle: timeouts.task_idle,
        tags,
        manager: response.written.and_then(RunnerProcess::of_stage),
    }
}

/// Stops what an earlier `prepare` of this job left, before anything new is started.
async fn clear_former(
    context: &JobContext,
    folder: &StateFolder,
    job: &JobKey,
) -> Result<(), StageError> {
    let timeouts = context.timeouts();
    let undone = match folder.record(job) {
        Ok(None) => return Ok(()),
        Ok(Some(former)) => {
            emit(JobEvent::FormerFound { launches: former.launches.len() });
            let ecs = context.ecs_in(Some(former.core.region.clone())).await?;
            let why = reason("the job is prepared again");
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
            let core = folder.core_at_least(job, &error);
            stop_what_is_known(context, folder, job, &core, &error).await?
        }
    };
    match undone.first() {
        None => Ok(()),
        Some(first) => Err(CauseReport::new(FailureCause::AlreadyPrepared)
            .because(format!("A former task of this job is not stopped: {first}."))
            .into()),
    }
}

/// The record cannot be read. Stops the task that is left of its core, and all tasks of the job
/// that ECS knows. Without the right to list tasks, the core must be enough.
async fn stop_what_is_known(
    context: &JobContext,
    folder: &StateFolder,
    job: &JobKey,
    core: &TaskLocation,
    damaged: &StateError,
) -> Result<Vec<String>, StageError> {
    let deadline = Instant::now() + context.timeouts().task_stop;
    let why = reason("the job is prepared again");
    let mut undone = match &core.task {
        Some(task) => stop_one(context, (&core.cluster, &core.region), task, &why, deadline).await,
        None => Vec::new(),
    };
    let ecs = context.ecs().await?.sharing(folder, context.profile());
    let owner = folder.owner(context.settings.owner.as_deref()).await?.owner;
    let cluster = &context.profile().cluster;
    // A record from a newer version names its last task. A damaged one may not.
    let is_newer = matches!(damaged, StateError::Newer { .. });
    let tasks = match find(&ecs, cluster, Some(&owner), job, deadline).await {
        Ok(tasks) => tasks,
        Err(error) if is_newer && core.task.is_some() && error.denies("ecs:ListTasks") => {
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
