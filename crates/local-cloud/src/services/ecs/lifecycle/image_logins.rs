//! The logins with which the images of a task are fetched: ECS reads each registry secret as the task's
//! execution role before it fetches any image.

use super::task_lifecycle::TaskLifecycle;
use crate::backend::container::RegistryLogin;
use crate::services::ecs::state::task::CloudTask;
use crate::services::ecs::state::task_ending::CloudTaskEnding;
use crate::services::secrets_manager::registry_login::{ExecutionSession, registry_login};

impl TaskLifecycle {
    /// The images of the task, each with its login where the task definition names a secret.
    pub(super) fn images_with_logins(
        &self,
    ) -> Result<Vec<(String, Option<RegistryLogin>)>, CloudTaskEnding> {
        let known = self.read(|task| (task.definition.images(), execution_role(task)));
        let Some((images, role)) = known else { return Ok(Vec::new()) };
        let (region, task) = (self.start.region.as_str(), self.start.id.as_str());
        let session = ExecutionSession { region, role: &role, task };
        let with_login = |(image, secret): (String, Option<String>)| {
            let login = secret.map(|secret| registry_login(&self.cloud, &session, &secret));
            let login = login.transpose().map_err(|error| {
                CloudTaskEnding::gentle("TaskFailedToStart", &error.to_string())
            })?;
            Ok((image, login))
        };
        images.into_iter().map(with_login).collect()
    }
}

/// The name of the role as which ECS acts for the task; empty without one, which no registered definition
/// with a registry secret is.
fn execution_role(task: &CloudTask) -> String {
    let overridden = task.overrides.execution_role_arn.as_deref();
    let arn = overridden.or(task.definition.shape.execution_role_arn.as_deref());
    arn.and_then(|arn| arn.rsplit('/').next()).unwrap_or_default().to_owned()
}
