//! Stops tasks: those that the launches of a record started, or may have started.
//!
//! Nothing here waits for STOPPED, and each step may be done twice.

use std::time::Duration;

use fargate_aws::{CallError, retry};
use fargate_events::{JobEvent, emit};
use fargate_mask::SharedMasker;
use fargate_model::backoff::jittered;
use fargate_model::id::{TaskArn, TaskOwner};
use fargate_model::job::JobKey;
use fargate_state::LaunchRequest;
use tokio::time::{Instant, sleep};

use super::client::{EcsClient, RunTaskOutcome, StopTaskOutcome};
use super::observation::ObservedTask;
use super::spec::is_refused_for_tags;
use crate::context::WallClock;

/// The beginning of each StopTask reason of ours, by which it is recognised.
pub const OUR_REASON: &str = "fargate-runner:";

const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Time between two tries to stop a task that ECS does not know yet.
const NEW_TASK_PAUSE: Duration = Duration::from_secs(1);

/// Longest text of AWS that is repeated, in characters.
const LONGEST_TEXT: usize = 1024;

/// AWS's words with control characters escaped, for a terminal or a job's log.
fn harmless(error: &CallError, masker: &SharedMasker) -> String {
    masker.within(&error.to_string(), LONGEST_TEXT)
}

/// Makes a StopTask reason of ours.
#[must_use]
pub fn reason(why: &str) -> String {
    format!("{OUR_REASON} {why}")
}

/// What became of a job's tasks.
#[derive(Debug, Default)]
pub struct TaskReleaseReport {
    /// ECS accepted the stop of these.
    pub stopped: Vec<TaskArn>,
    /// What could not be done before the deadline, in words for the operator.
    pub undone: Vec<String>,
    /// Whether a call was refused for a lasting reason, so that the same call for other jobs would
    /// be refused as well.
    pub refused: bool,
}

/// Stops `task`: tries until ECS accepts it or `deadline` passes. If ECS does not know the task, it
/// was forgotten, unless it `may_be_new`.
///
/// # Errors
///
/// Returns the last [`CallError`] if ECS did not accept the stop in time, or refuses it for a
/// lasting reason.
pub async fn stop(
    ecs: &EcsClient,
    cluster: &str,
    task: &TaskArn,
    why: &str,
    deadline: Instant,
    may_be_new: impl Fn() -> bool,
) -> Result<(), CallError> {
    loop {
        match retry(deadline, || ecs.stop(cluster, task, why)).await? {
            StopTaskOutcome::Accepted => return Ok(()),
            StopTaskOutcome::Unknown if !may_be_new() => return Ok(()),
            StopTaskOutcome::Unknown if Instant::now() + LONGEST_PAUSE >= deadline => {
                let text = "ECS does not know the task yet".to_owned();
                return Err(CallError::NoAnswer { text });
            }
            StopTaskOutcome::Unknown => sleep(jittered(NEW_TASK_PAUSE)).await,
        }
    }
}

/// The tasks of this job that should run, by the variable that names the job: among those of the
/// owner, or in the whole cluster if the owner is not known any more.
///
/// # Errors
///
/// Returns [`CallError`] if ECS cannot be asked.
pub async fn find(
    ecs: &EcsClient,
    cluster: &str,
    owner: Option<&TaskOwner>,
    job: &JobKey,
    deadline: Instant,
) -> Result<Vec<ObservedTask>, CallError> {
    let mut tasks = survey(ecs, cluster, owner, deadline).await?;
    tasks.retain(|task| task.job.as_deref() == Some(job.as_str()));
    Ok(tasks)
}

/// All tasks of the owner, or of the whole cluster, that should run.
///
/// # Errors
///
/// Returns [`CallError`] if ECS cannot be asked.
pub async fn survey(
    ecs: &EcsClient,
    cluster: &str,
    owner: Option<&TaskOwner>,
    deadline: Instant,
) -> Result<Vec<ObservedTask>, CallError> {
    let arns = retry(deadline, || ecs.list(cluster, owner)).await?;
    let mut tasks = retry(deadline, || ecs.describe_all(cluster, &arns)).await?;
    tasks.retain(|task| !task.status.is_over());
    Ok(tasks)
}

/// Sends an open launch again, without its tags if they are refused.
async fn settle(
    ecs: &EcsClient,
    launch: &LaunchRequest,
    deadline: Instant,
) -> Result<RunTaskOutcome, CallError> {
    match retry(deadline, || ecs.run_task(launch)).await {
        Err(error) if is_refused_for_tags(launch, &error) => {
            let bare = launch.untagged();
            retry(deadline, || ecs.run_task(&bare)).await
        }
        answer => answer,
    }
}

/// Settles all open launches, and stops all tasks of these launches.
///
/// An open launch is sent again. Its token can only name the task that it started before, or start
/// one that is stopped at once. A look at ECS's list could miss a task that is too new. For the
/// same reason, a task that ECS does not know counts as gone only if it is older than `visible`.
pub async fn release(
    ecs: &EcsClient,
    launches: &[LaunchRequest],
    why: &str,
    deadline: Instant,
    visible: Duration,
    clock: &WallClock,
) -> TaskReleaseReport {
    let mut released = TaskReleaseReport::default();
    for launch in launches {
        let tasks = match (&launch.task, launch.settled) {
            (Some(task), _) => vec![task.clone()],
            (None, true) => Vec::new(),
            (None, false) => match settle(ecs, launch, deadline).await {
                Ok(RunTaskOutcome::Task(task)) => vec![task.task],
                Ok(RunTaskOutcome::Conflict(tasks)) => tasks,
                Ok(RunTaskOutcome::Failure { .. }) => Vec::new(),
                // A lasting refusal counts as well: it says nothing about an earlier request.
                answer => {
                    released.refused |= answer.as_ref().is_err_and(|e| !e.is_transient());
                    let token = &launch.token;
                    let how = answer
                        .err()
                        .map_or("no task named".to_owned(), |e| harmless(&e, ecs.masker()));
                    released.undone.push(format!("settling launch {token}: {how}"));
                    Vec::new()
                }
            },
        };
        for task in tasks {
            let may_be_new = || launch.is_younger_than(visible, clock.since_1970());
            match stop(ecs, &launch.cluster, &task, why, deadline, may_be_new).await {
                Ok(()) => {
                    emit(JobEvent::TaskStopping {
                        task: task.clone(),
                        message: Some(why.to_owned()),
                    });
                    released.stopped.push(task);
                }
                Err(error) => {
                    emit(JobEvent::StopFailed {
                        task: task.clone(),
                        request_id: error.request_id().map(Into::into),
                        message: error.to_string(),
                    });
                    released.refused |= !error.is_transient();
                    released
                        .undone
                        .push(format!("stopping task {task}: {}", harmless(&error, ecs.masker())));
                }
            }
        }
    }
    released
}
