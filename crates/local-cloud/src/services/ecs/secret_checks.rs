//! What ECS refuses in the `secrets` and in the `tmpfs` of a container.
//!
//! Source of the words: messages of the service as public issue trackers quote them.

use std::collections::BTreeSet;

use crate::services::ecs::shape::definition::ContainerDefinition;
use crate::wire::exception::ServiceException;

/// Checks that each secret has a name of its own, beside the container's variables too, and a source.
pub fn check_secrets(
    container: &ContainerDefinition,
    has_role: bool,
) -> Result<(), ServiceException> {
    let secrets = container.secrets.as_deref().unwrap_or_default();
    if !secrets.is_empty() && !has_role {
        return Err(ServiceException::client(
            "When you are specifying container secrets, you must also specify a value for \
             'executionRoleArn'.",
        ));
    }
    let environment = container.environment.iter().flatten();
    let mut names: BTreeSet<&str> = environment.filter_map(|pair| pair.name.as_deref()).collect();
    for secret in secrets {
        let name = secret.name.as_deref().unwrap_or_default();
        if name.is_empty() || secret.value_from.as_deref().unwrap_or_default().is_empty() {
            return Err(ServiceException::client(
                "Secret name and valueFrom should not be null or empty.",
            ));
        }
        if !names.insert(name) {
            return Err(ServiceException::client(format!(
                "The secret name must be unique and not shared with any new or existing environment \
                 variables set on the container, such as '{name}'."
            )));
        }
    }
    Ok(())
}

/// Checks that each folder in memory has an absolute path of its own and a size.
pub fn check_memory_folders(container: &ContainerDefinition) -> Result<(), ServiceException> {
    let linux = container.linux_parameters.as_ref();
    let mut paths = BTreeSet::new();
    for folder in linux.and_then(|linux| linux.tmpfs.as_ref()).into_iter().flatten() {
        let path = folder.container_path.as_deref().unwrap_or_default();
        if !path.starts_with('/') || path.split('/').any(|part| part == "..") {
            return Err(ServiceException::client(format!(
                "Invalid tmpfs: the container path '{path}' must be absolute."
            )));
        }
        if folder.size.unwrap_or_default() < 1 {
            return Err(ServiceException::client(format!(
                "Invalid tmpfs: the size of '{path}' must be a positive number of MiB."
            )));
        }
        if !paths.insert(path) {
            return Err(ServiceException::client(format!("Duplicate mount point: {path}")));
        }
    }
    Ok(())
}
