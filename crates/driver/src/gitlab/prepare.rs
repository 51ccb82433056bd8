//! The stage `prepare`: from a job to a task whose agent answers. At its end, the state folder
//! holds everything that `run` needs.
//!
//! The state file is written before RunTask. A `prepare` that was interrupted or repeated never
//! leaves two tasks.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use fargate_events::{JobEvent, JobFact, emit, emit_fact};
use fargate_model::cause::{CauseReport, ColourMode};
use fargate_state::{RunnerProcess, StateFolder, TaskOrigin};
use tokio::time::Instant;

use super::StageError;
use super::forge_description::forge_description;
use super::job_profile::not_begun;
use super::joblog::JobLog;
use super::response::JobResponse;
use crate::context::JobContext;
use crate::job::{self, CancelledTask, ProvisionedTask, TaskRequest};
use crate::session::{CancelRequest, CancelSignals, ScriptSignal, TaskKeepError, TaskSession};

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
    context.events.scope(prepare_logged(context, response, out, colour)).await
}

/// Tells in the job's log why the job is refused. No task is started, and the state folder says so to the
/// clean-up.
pub async fn refuse(
    context: &JobContext,
    response: &JobResponse,
    why: CauseReport,
    out: &mut (dyn Write + Send),
    colour: ColourMode,
) -> StageError {
    let refused = async {
        let error = StageError::Refused(Box::new(why));
        tell_job(context, response).await;
        tell_failure(&error);
        JobLog::new(out, colour, context).failed(&error);
        not_begun(context, &response.identity.key()).await;
        error
    };
    context.events.scope(refused).await
}

/// Tells the history who the job is, as far as it is known before anything was asked for.
async fn tell_job(context: &JobContext, response: &JobResponse) {
    let settings = &context.settings;
    let (mut attempt, mut host) = (1, settings.owner.clone().unwrap_or_default());
    if let Ok(folder) = StateFolder::open(&settings.state_dir, context.timeouts().state_lock) {
        attempt += folder.tombstone(&response.identity.key()).unwrap_or_default().tries;
        let owner = folder.owner(settings.owner.as_deref()).await;
        host = owner.map_or(host, |owner| owner.owner.to_string());
    }
    job::tell_profile(&forge_description(response), context.profile(), attempt, &host);
}

/// Tells log and history why the task did not come up.
fn tell_failure(error: &StageError) {
    if let Some(why) = error.why() {
        let is_final = matches!(error, StageError::Refused(_));
        emit_fact(JobFact::Explained { report: Box::new(why.clone()), is_final });
    }
    emit(JobEvent::PrepareFailed {
        cause: error.why().map(|why| why.cause),
        message: error.to_string(),
    });
}

/// Does the work of [`prepare`] in the scope of the job's events.
async fn prepare_logged(
    context: &JobContext,
    response: &JobResponse,
    out: &mut (dyn Write + Send),
    colour: ColourMode,
) -> Result<(), StageError> {
    let mut log = JobLog::new(out, colour, context);
    let began = Instant::now();
    let result = match bring_up(context, response, began, &mut log).await {
        Ok((provisioned, stops)) => conclude(context, provisioned, stops, began, &mut log).await,
        Err(error) => Err(error),
    };
    result.inspect_err(|error| {
        tell_failure(error);
        log.failed(error);
    })
}

/// Tells that the task is ready, and ends the session: each stage opens its own.
async fn conclude(
    context: &JobContext,
    provisioned: ProvisionedTask,
    stops: CancelSignals,
    began: Instant,
    log: &mut JobLog<'_>,
) -> Result<(), StageError> {
    let acquired = provisioned.acquired;
    let task = acquired.seen.task.clone();
    if let TaskSession::Agent(agent) = &acquired.session {
        let words = agent.agent.too_old();
        words.iter().for_each(|words| log.note(&format!("Warning: {words}")));
    }
    if context.settings.hold.is_some() && !acquired.session.can_keep() {
        let peer = acquired.session.peer().to_owned();
        let why = TaskKeepError::Unable { peer };
        log.note(&format!("Warning: FARGATE_HOLD is ignored: {why}"));
    }
    let took = began.elapsed();
    log.ready(&acquired, context.profile(), took);
    acquired.session.close().await;
    unless_cancelled(stops, task.short()).await?;
    let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    emit(JobEvent::PrepareDone { task, took_ms });
    Ok(())
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
    tell_job(context, response).await;
    if response.has_unmasked {
        emit(JobEvent::SecretsUnmasked {});
    }
    if response.untrusted {
        emit(JobEvent::IdentityUntrusted {});
        log.note("Warning: gitlab-runner gave no response file, so this job is known only by variables that it can set itself");
    }
    let folder = StateFolder::open(&context.settings.state_dir, timeouts.state_lock)?;
    if let Some(shared) = StateFolder::shared_with_others(&context.settings.state_dir) {
        let message = format!("{}: {}", context.settings.state_dir.display(), shared.what);
        emit(JobEvent::StateShared { message });
    }
    let request = task_request(context, response);
    let mut report = |event: crate::task::TaskStartProgress<'_>| log.tell(&event);
    let provisioned =
        job::bring_up(context, &request, &folder, &mut stops, began, &mut report).await?;
    Ok((provisioned, stops))
}

pub(super) fn task_request(context: &JobContext, response: &JobResponse) -> TaskRequest {
    let timeouts = context.timeouts();
    let project = response.facts.project.clone();
    let project = project.unwrap_or_else(|| response.identity.project.to_string());
    let mut tags = BTreeMap::from([("project", project)]);
    tags.extend(response.pipeline.map(|pipeline| ("pipeline", pipeline.to_string())));
    tags.extend(context.profile().name.clone().map(|name| ("profile", name)));
    TaskRequest {
        origin: TaskOrigin::Gitlab,
        job: response.identity.key(),
        job_id: response.name(),
        lifetime: response.timeout.unwrap_or(timeouts.default_job_timeout)
            + timeouts.lifetime_margin,
        idle: timeouts.task_idle,
        tags,
        project: response.facts.project.clone(),
        is_protected: response.facts.is_protected,
        hold: context.settings.hold,
        description: Box::new(forge_description(response)),
        manager: response.written.and_then(RunnerProcess::of_stage),
    }
}
