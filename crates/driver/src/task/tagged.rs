//! Lists all tasks of a cluster that are ours by their tags or by their job's key, whoever started
//! them, with the time by ECS's clock.
//!
//! This is all that one host may know of the tasks of others. It does not judge them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use aws_sdk_ecs::types::TaskField;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use fargate_aws::{CallError, date_of, retry};
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
    /// The time of the last answer by ECS's clock. `None` if there was no answer, or it had no
    /// time.
    pub now: Option<SystemTime>,
}

/// Reads the time in the `Date` of each answer.
#[derive(Clone, Debug, Default)]
struct ResponseDateInterceptor(Arc<Mutex<Option<SystemTime>>>);

impl Intercept for ResponseDateInterceptor {
    fn name(&self) -> &'static str {
        "ResponseDateInterceptor"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let now = date_of(context.response());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = now;
        Ok(())
    }
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
    let clock = ResponseDateInterceptor::default();
    let tasks = retry(deadline, || describe_tagged(ecs, cluster, &arns, &clock)).await?;
    let now = *clock.0.lock().unwrap_or_else(PoisonError::into_inner);
    let is_ours = |task: &ObservedTask| !task.tags.is_empty() || task.job.is_some();
    let ours = |task: &ObservedTask| is_ours(task) && !task.status.is_over();
    Ok(TaggedTasks { tasks: tasks.into_iter().filter(ours).collect(), now })
}

async fn describe_tagged(
    ecs: &EcsClient,
    cluster: &str,
    tasks: &[TaskArn],
    clock: &ResponseDateInterceptor,
) -> Result<Vec<ObservedTask>, CallError> {
    let mut found = Vec::new();
    for some in tasks.chunks(DESCRIBE_LIMIT) {
        let arns = some.iter().map(|arn| arn.0.clone()).collect();
        let call = ecs.client().describe_tasks().cluster(cluster).set_tasks(Some(arns));
        let call = call.include(TaskField::Tags);
        let send = || {
            let asked = call.clone().customize().interceptor(clock.clone());
            ecs.account().sent(asked.send())
        };
        let answer = ecs.account().call(send).await?;
        found.extend(answer.tasks().iter().filter_map(ObservedTask::of));
    }
    Ok(found)
}
