//! `DescribeTasks`. Reading changes nothing: only time and orders move a task on.

use serde_json::{Value, json};

use crate::fault::CloudFault;
use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::services::member_checks::includes;
use crate::wire::exception::ServiceException;
use crate::wire::member::{shapes, without_nulls};

/// Tasks of one request. Source: Amazon ECS API Reference, `DescribeTasks`.
const MAX_TASKS: usize = 100;

shapes! {
    DescribeTasks {
        cluster: String = "cluster",
        tasks: Vec<String> = "tasks",
        include: Vec<String> = "include",
    }
}

impl JsonRequest for DescribeTasks {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        let with_tags = includes(self.include.as_deref(), &["TAGS"], "TAGS")?;
        let asked = self.tasks.unwrap_or_default();
        if asked.is_empty() {
            return Err(ServiceException::parameter("Tasks cannot be empty."));
        }
        if asked.len() > MAX_TASKS {
            return Err(ServiceException::parameter(format!(
                "Tasks cannot be more than {MAX_TASKS}."
            )));
        }
        let mut state = context.cloud.ecs();
        let region = state.region(context.region, context.now);
        let cluster = region.cluster(self.cluster.as_deref())?.name.clone();
        let (mut tasks, mut failures) = (Vec::<Value>::new(), Vec::<Value>::new());
        for reference in &asked {
            let id = region.names.task_id(reference, &cluster)?;
            let arn = region.names.task(&cluster, id);
            match (context.fault, region.visible_task(&cluster, id, context.now, context.view)) {
                (Some(CloudFault::Failure { reason, detail }), _) => failures
                    .push(without_nulls(json!({ "arn": arn, "reason": reason, "detail": detail }))),
                (_, Some(task)) => tasks.push(task.view(with_tags)),
                (_, None) => failures.push(json!({ "arn": arn, "reason": "MISSING" })),
            }
        }
        Ok(json!({ "tasks": tasks, "failures": failures }))
    }
}
