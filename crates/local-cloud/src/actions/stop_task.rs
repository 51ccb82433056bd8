//! `StopTask`: answers as soon as the task is told; a task that stops or has stopped is answered
//! as it is.

use serde_json::json;

use super::{ActionResult, RequestContext, required};
use crate::state::task::CloudTaskEnding;
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

impl StopTask {
    pub fn perform(self, scene: &RequestContext<'_>) -> ActionResult {
        let reference = required(self.task.as_ref(), "task")?;
        let reason = self.reason.as_deref().unwrap_or("Task stopped by user");
        if reason.chars().count() > MAX_REASON {
            return Err(ServiceException::parameter(format!(
                "reason must be at most {MAX_REASON} characters long."
            )));
        }
        let mut state = scene.cloud.state();
        let region = state.region(scene.region, scene.now);
        let cluster = region.cluster(self.cluster.as_deref())?.name.clone();
        let id = region.names.task_id(reference, &cluster)?.to_owned();
        let task = region.tasks.get_mut(&id).filter(|task| task.cluster == cluster);
        let task = task
            .filter(|task| task.is_visible(scene.now, std::time::Duration::ZERO))
            .ok_or_else(|| ServiceException::parameter("The referenced task was not found."))?;
        task.order(CloudTaskEnding::gentle("UserInitiated", reason), scene.now);
        Ok(json!({ "task": task.view(true) }))
    }
}
