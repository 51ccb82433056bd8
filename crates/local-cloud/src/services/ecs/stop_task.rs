//! `StopTask`: orders the task to end and answers at once. If the task is ending or has ended, nothing
//! changes.

use serde_json::json;

use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::services::ecs::state::task_ending::CloudTaskEnding;
use crate::services::member_checks::required;
use crate::wire::exception::ServiceException;
use crate::wire::member::shapes;

/// Longest reason. Source: Amazon ECS API Reference, `StopTask`, `reason`.
const MAX_REASON: usize = 1024;

shapes! {
    StopTask {
        cluster: String = "cluster",
        task: String = "task",
        reason: String = "reason",
    }
}

impl JsonRequest for StopTask {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        let reference = required(self.task.as_ref(), "task")?;
        let reason = self.reason.as_deref().unwrap_or("Task stopped by user");
        if reason.chars().count() > MAX_REASON {
            return Err(ServiceException::parameter(format!(
                "reason must be at most {MAX_REASON} characters long."
            )));
        }
        let mut state = context.cloud.ecs();
        let region = state.region(context.region, context.now);
        let cluster = region.cluster(self.cluster.as_deref())?.name.clone();
        let id = region.names.task_id(reference, &cluster)?.to_owned();
        let task = region.tasks.get_mut(&id).filter(|task| task.cluster == cluster);
        let task = task
            .filter(|task| task.is_visible(context.now, std::time::Duration::ZERO))
            .ok_or_else(|| ServiceException::parameter("The referenced task was not found."))?;
        task.order(CloudTaskEnding::gentle("UserInitiated", reason), context.now);
        Ok(json!({ "task": task.view(true) }))
    }
}
