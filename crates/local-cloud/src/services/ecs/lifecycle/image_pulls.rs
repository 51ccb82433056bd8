//! The images of a task, and the logins with which they are fetched: ECS reads each registry secret as the
//! task's execution role before it fetches any image.

use super::task_lifecycle::TaskLifecycle;
use crate::backend::container::{ImageArchitecture, ImagePull};
use crate::services::ecs::shape::definition::ContainerDefinition;
use crate::services::ecs::state::task::CloudTask;
use crate::services::ecs::state::task_ending::CloudTaskEnding;
use crate::services::secrets_manager::registry_login::{ExecutionSession, registry_login};

impl TaskLifecycle {
    /// The images of the task's containers, in their order, each with its login where the task definition
    /// names a secret.
    pub(super) fn image_pulls(&self) -> Result<Vec<ImagePull>, CloudTaskEnding> {
        let known =
            self.read(|task| (named_images(task), execution_role(task), architecture(task)));
        let Some((images, role, architecture)) = known else { return Ok(Vec::new()) };
        let (region, task) = (self.start.region.as_str(), self.start.id.as_str());
        let session = ExecutionSession { region, role: &role, task };
        let with_login = |(image, secret): (String, Option<String>)| {
            let login = secret.map(|secret| registry_login(&self.cloud, &session, &secret));
            let login = login.transpose().map_err(|error| {
                CloudTaskEnding::gentle("TaskFailedToStart", &error.to_string())
            })?;
            Ok(ImagePull { image, login, architecture })
        };
        images.into_iter().map(with_login).collect()
    }
}

/// The image of each container, and the secret of its registry where there is one.
fn named_images(task: &CloudTask) -> Vec<(String, Option<String>)> {
    let image_and_secret = |container: &ContainerDefinition| {
        let credentials = container.repository_credentials.as_ref();
        let secret = credentials.and_then(|given| given.credentials_parameter.clone());
        (container.image.clone().unwrap_or_default(), secret)
    };
    task.definition.containers().iter().map(image_and_secret).collect()
}

fn architecture(task: &CloudTask) -> ImageArchitecture {
    let platform = task.definition.shape.runtime_platform.as_ref();
    match platform.and_then(|platform| platform.cpu_architecture.as_deref()) {
        Some("ARM64") => ImageArchitecture::Arm64,
        _ => ImageArchitecture::X86_64,
    }
}

/// The name of the role as which ECS acts for the task; empty without one, which no registered definition
/// with a registry secret is.
pub(super) fn execution_role(task: &CloudTask) -> String {
    let overridden = task.overrides.execution_role_arn.as_deref();
    let arn = overridden.or(task.definition.shape.execution_role_arn.as_deref());
    arn.and_then(|arn| arn.rsplit('/').next()).unwrap_or_default().to_owned()
}
