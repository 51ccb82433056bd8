//! Lists all tasks of a cluster that are ours by their tags or by their job's key, whoever started
//! them, with the time by ECS's clock.
//!
//! This is all that one host may know of the tasks of others. It does not judge them.

use std::time::SystemTime;

use aws_sdk_ecs::types::TaskField;
use fargate_aws::{CallError, retry};
use fargate_model::id::TaskArn;
use tokio::time::Instant;

use super::client::{DESCRIBE_LIMIT, EcsClient};
use super::observation::ObservedTask;

/// Our tasks in a cluster.
#[derive(Clone, Debug, Default)]
pub struct TaggedTasks {
    /// Tasks that have not ended and that have at least one of our tags. If tags were refused,
    /// those that have the key of a job among their overrides.
    pub tasks: Vec<ObservedTask>,
    /// The time by ECS's clock. `None` if no answer had one.
    pub now: Option<SystemTime>,
}

/// Lists the whole cluster.
///
/// # Errors
///
/// Returns [`CallError`] if ECS cannot be asked.
pub async fn survey_tagged(
    ecs: &EcsClient,
    cluster: &str,
    deadline: Instant,
) -> Result<TaggedTasks, CallError> {
    let arns = retry(deadline, || ecs.list(cluster, None)).await?;
    let tasks = retry(deadline, || describe_tagged(ecs, cluster, &arns)).await?;
    let now = ecs.time();
    let is_ours = |task: &ObservedTask| !task.tags.is_empty() || task.job.is_some();
    let ours = |task: &ObservedTask| is_ours(task) && !task.status.is_over();
    Ok(TaggedTasks { tasks: tasks.into_iter().filter(ours).collect(), now })
}

async fn describe_tagged(
    ecs: &EcsClient,
    cluster: &str,
    tasks: &[TaskArn],
) -> Result<Vec<ObservedTask>, CallError> {
    let mut found = Vec::new();
    for some in tasks.chunks(DESCRIBE_LIMIT) {
        let arns = some.iter().map(|arn| arn.0.clone()).collect();
        let call = ecs.client().describe_tasks().cluster(cluster).set_tasks(Some(arns));
        let call = call.include(TaskField::Tags);
        let answer = ecs.account().call(|| ecs.account().sent(call.clone().send())).await?;
        found.extend(answer.tasks().iter().filter_map(ObservedTask::of));
    }
    Ok(found)
}
