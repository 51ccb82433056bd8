//! Where the containers of a task get credentials of the task's role.

use fargate_model::region::AwsPartition;

use super::task_lifecycle::TaskLifecycle;
use crate::backend::container::ContainerStartError;
use crate::services::ecs::state::task::CloudTask;

impl TaskLifecycle {
    /// The URL for the containers of this task; `None` if the task has no role, or one of another account.
    ///
    /// A task whose role cannot be given does not start, as on Fargate: its programs would fail later and
    /// say less.
    pub(super) async fn credentials_url(&self) -> Result<Option<String>, ContainerStartError> {
        let known =
            self.read(|task| Some((task_role(task)?.to_owned(), task.place.subnet.clone())));
        let Some((role, subnet)) = known.flatten() else { return Ok(None) };
        let (region, task) = (self.start.region.as_str(), self.start.id.as_str());
        let no_address = |problem| ContainerStartError::Engine { problem };
        let host = self.cloud.backend.host_address(region, &subnet).await.map_err(no_address)?;
        let partition = AwsPartition::of(region).name();
        let url = self.cloud.task_roles.url(host, task, &role, partition).await;
        url.map_err(|source| ContainerStartError::NoRoleCredentials { host, source })
    }
}

/// The ARN or the name of the role; an override counts first.
pub(super) fn task_role(task: &CloudTask) -> Option<&str> {
    let of_definition = task.definition.shape.task_role_arn.as_deref();
    task.overrides.task_role_arn.as_deref().or(of_definition)
}
