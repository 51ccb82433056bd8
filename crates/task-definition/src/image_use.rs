//! Which images ECS has in use: those of the running tasks of a cluster, whoever started them, and those of
//! every active task definition of an account and Region.
//!
//! A list that does not come whole is a failure, because what is not in it counts as unused. Nothing is
//! judged here.

use std::collections::BTreeSet;
use std::time::Duration;

use fargate_aws::EcsOperation;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::ecs_definitions::{DESCRIBE_LIMIT, EcsDefinitions};
use crate::error::DefinitionError;

/// Most pages of a list.
const MOST_PAGES: usize = 200;
/// Revisions that are described at the same time. Ours: AWS allows 20 calls a second.
const AT_ONCE: usize = 4;

/// An image that a container uses.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ContainerImageUse {
    /// The ARN of the task or of the task definition.
    pub user: String,
    /// The text of the image, as the task definition has it.
    pub image: String,
    /// The digest that the task pulled, if it has pulled.
    pub digest: Option<String>,
}

impl EcsDefinitions {
    /// The images of all tasks of a cluster that are to run. `limit` is the time of one call.
    ///
    /// # Errors
    ///
    /// [`DefinitionError`], also if the cluster does not exist.
    pub async fn images_of_tasks(
        &self,
        cluster: &str,
        limit: Duration,
    ) -> Result<BTreeSet<ContainerImageUse>, DefinitionError> {
        let body = json!({ "cluster": cluster, "desiredStatus": "RUNNING" });
        let tasks = self.whole_list(EcsOperation::ListTasks, body, "taskArns", limit).await?;
        let mut uses = BTreeSet::new();
        for some in tasks.chunks(DESCRIBE_LIMIT) {
            let operation = EcsOperation::DescribeTasks;
            let body = json!({ "cluster": cluster, "tasks": some });
            let answer = self.call(operation, body, Instant::now() + limit).await?;
            let described = answer.get("tasks").and_then(Value::as_array);
            let described =
                described.ok_or(DefinitionError::Answer { operation, what: "tasks" })?;
            described.iter().for_each(|task| uses.extend(images_of(task, "containers", "taskArn")));
        }
        Ok(uses)
    }

    /// The images of all active task definitions of the account and Region. `limit` is the time of one call.
    ///
    /// # Errors
    ///
    /// [`DefinitionError`].
    pub async fn images_of_active_definitions(
        &self,
        limit: Duration,
    ) -> Result<BTreeSet<ContainerImageUse>, DefinitionError> {
        let operation = EcsOperation::ListTaskDefinitions;
        let body = json!({ "status": "ACTIVE" });
        let mut arns =
            self.whole_list(operation, body, "taskDefinitionArns", limit).await?.into_iter();
        let mut described: JoinSet<Result<Vec<ContainerImageUse>, DefinitionError>> =
            JoinSet::new();
        let mut uses = BTreeSet::new();
        loop {
            while described.len() < AT_ONCE
                && let Some(arn) = arns.next()
            {
                let (ecs, operation) = (self.clone(), EcsOperation::DescribeTaskDefinition);
                let body = json!({ "taskDefinition": arn });
                described.spawn(async move {
                    let answer = ecs.call(operation, body, Instant::now() + limit).await?;
                    let what = "taskDefinition";
                    let found = answer.get(what).ok_or(DefinitionError::Answer { operation, what });
                    Ok(images_of(found?, "containerDefinitions", "taskDefinitionArn"))
                });
            }
            match described.join_next().await {
                None => return Ok(uses),
                Some(Ok(found)) => uses.extend(found?),
                Some(Err(panic)) => std::panic::resume_unwind(panic.into_panic()),
            }
        }
    }

    /// The texts of a list, every page of it.
    async fn whole_list(
        &self,
        operation: EcsOperation,
        mut body: Value,
        list: &'static str,
        limit: Duration,
    ) -> Result<Vec<String>, DefinitionError> {
        let incomplete = DefinitionError::Answer { operation, what: list };
        let mut found = Vec::new();
        for _ in 0..MOST_PAGES {
            let answer = self.call(operation, body.clone(), Instant::now() + limit).await?;
            let Some(items) = answer.get(list).and_then(Value::as_array) else {
                return Err(incomplete);
            };
            found.extend(items.iter().filter_map(Value::as_str).map(str::to_owned));
            match answer.get("nextToken").and_then(Value::as_str) {
                Some(next) => body["nextToken"] = Value::from(next),
                None => return Ok(found),
            }
        }
        Err(incomplete)
    }
}

/// The images of the containers of a task or of a task definition.
fn images_of(document: &Value, containers: &str, arn: &str) -> Vec<ContainerImageUse> {
    let text = |value: &Value, name: &str| Some(value.get(name)?.as_str()?.to_owned());
    let user = text(document, arn).unwrap_or_default();
    let containers = document.get(containers).and_then(Value::as_array).into_iter().flatten();
    let used = |container: &Value| {
        let digest = text(container, "imageDigest").filter(|digest| !digest.is_empty());
        Some(ContainerImageUse { user: user.clone(), image: text(container, "image")?, digest })
    };
    containers.filter_map(used).collect()
}
