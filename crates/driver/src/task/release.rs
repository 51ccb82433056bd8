//! The end of a task: found through what is left of its record, and stopped.
//!
//! Nothing here waits for STOPPED, and every part may be done twice.

use std::time::Duration;

use fargate_aws::{CallError, retry};
use fargate_events::{JobEvent, emit};
use fargate_mask as mask;
use fargate_model::backoff::jittered;
use fargate_model::id::{TaskArn, TaskOwner};
use fargate_model::job::JobKey;
use fargate_state::LaunchRequest;
use tokio::time::{Instant, sleep};

use super::client::{EcsClient, RunTaskOutcome, StopTaskOutcome};
use super::observation::ObservedTask;
use super::spec::is_refused_for_tags;

/// How every StopTask reason of ours begins, so that it is known again.
pub const OUR_REASON: &str = "fargate-runner:";

const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Between two tries to stop a task that ECS does not know yet.
const NEW_TASK_PAUSE: Duration = Duration::from_secs(1);

/// Longest text of AWS that is repeated, in characters.
const LONGEST_TEXT: usize = 1024;

/// AWS's words, which may hold anything, for a terminal or a job log.
fn harmless(error: &CallError) -> String {
    mask::within(&error.to_string(), LONGEST_TEXT)
}

/// A StopTask reason of ours.
#[must_use]
pub fn reason(why: &str) -> String {
    format!("{OUR_REASON} {why}")
}

/// What became of a job's tasks.
#[derive(Debug, Default)]
pub struct TaskReleaseReport {
    /// Stop was accepted for these.
    pub stopped: Vec<TaskArn>,
    /// What could not be done before the deadline, in words for the operator.
    pub undone: Vec<String>,
    /// True if a call was refused for good: another job's would be too.
    pub refused: bool,
}

/// Stops `task`, again and again until it is accepted or `deadline` passes. A task that ECS does not
/// know is one that it has forgotten, unless it `may_be_new`.
///
/// # Errors
///
/// The last [`CallError`].
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

/// Tasks of this job that are meant to run: those of the owner, or of the whole cluster where the
/// owner is not known any more, whose override variable names the job exactly.
///
/// # Errors
///
/// [`CallError`].
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

/// Every task of the owner, or of the whole cluster, that is meant to run.
///
/// # Errors
///
/// [`CallError`].
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

/// Sends an open launch again, without its tags where they are refused.
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

/// Settles every launch that is still open and stops every task of these launches.
///
/// An open launch is sent again: its token can only name the task that it has started, or start
/// the one that is then stopped at once. Asking ECS's list instead could miss a task that is too
/// new to be seen. For the same reason a task younger than `visible` that ECS does not know is not
/// taken for gone.
pub async fn release(
    ecs: &EcsClient,
    launches: &[LaunchRequest],
    why: &str,
    deadline: Instant,
    visible: Duration,
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
                // Also a refusal for good: it says nothing about a send before it.
                answer => {
                    released.refused |= answer.as_ref().is_err_and(|e| !e.is_transient());
                    let token = &launch.token;
                    let how = answer.err().map_or("no task named".to_owned(), |e| harmless(&e));
                    released.undone.push(format!("settling launch {token}: {how}"));
                    Vec::new()
                }
            },
        };
        for task in tasks {
            let may_be_new = || launch.is_younger_than(visible);
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
                    released.undone.push(format!("stopping task {task}: {}", harmless(&error)));
                }
            }
        }
    }
    released
}
