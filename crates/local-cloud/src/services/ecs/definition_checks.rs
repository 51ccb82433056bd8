//! What ECS refuses in every task definition. What only Fargate refuses stands in `fargate_checks`.

use std::collections::BTreeSet;

use super::fargate_checks;
use super::secret_checks::{check_memory_folders, check_secrets};
use crate::services::ecs::shape::definition::{
    ContainerDefinition, EfsVolume, RegisterTaskDefinition, Volume,
};
use crate::services::ecs::state::arns::is_identifier;
use crate::wire::exception::ServiceException;
use crate::wire::member::ShapeMember;

/// Containers of a task definition. Source: "Amazon ECS endpoints and quotas".
const MAX_CONTAINERS: usize = 10;
/// Bytes of a task definition. Source: as above.
const MAX_BYTES: usize = 64 * 1024;

/// Checks a definition, and brings cpu and memory into the form in which ECS shows them.
pub fn check(definition: &mut RegisterTaskDefinition) -> Result<(), ServiceException> {
    let family = definition.family.as_deref().unwrap_or_default();
    if family.is_empty() {
        return Err(ServiceException::client("Family should not be null or empty."));
    }
    if !is_identifier(family) {
        return Err(ServiceException::client("Family contains invalid characters."));
    }
    let containers = definition.container_definitions.as_deref().unwrap_or_default();
    if containers.is_empty() {
        return Err(ServiceException::client("Container list cannot be empty."));
    }
    if containers.len() > MAX_CONTAINERS {
        return Err(ServiceException::client(format!(
            "Too many containers: a task definition can have at most {MAX_CONTAINERS}."
        )));
    }
    if definition.write().to_string().len() > MAX_BYTES {
        return Err(ServiceException::client(format!(
            "Actual length of the task definition exceeds the limit of {MAX_BYTES} bytes."
        )));
    }
    check_modes(definition)?;
    check_containers(containers, definition)?;
    check_volumes(definition)?;
    if definition.requires("FARGATE") {
        fargate_checks::check(definition)?;
    }
    Ok(())
}

impl RegisterTaskDefinition {
    pub fn requires(&self, compatibility: &str) -> bool {
        self.requires_compatibilities.iter().flatten().any(|word| word == compatibility)
    }
}

fn check_modes(definition: &RegisterTaskDefinition) -> Result<(), ServiceException> {
    let one_of = |name: &str, value: Option<&String>, known: &[&str]| match value {
        Some(value) if !known.contains(&value.as_str()) => Err(ServiceException::client(format!(
            "Invalid '{name}' setting: '{value}'. Valid values: {}.",
            known.join(", ")
        ))),
        _ => Ok(()),
    };
    one_of("networkMode", definition.network_mode.as_ref(), &["bridge", "host", "awsvpc", "none"])?;
    one_of("pidMode", definition.pid_mode.as_ref(), &["host", "task"])?;
    one_of("ipcMode", definition.ipc_mode.as_ref(), &["host", "task", "none"])?;
    for word in definition.requires_compatibilities.iter().flatten() {
        let known = ["EC2", "FARGATE", "EXTERNAL", "MANAGED_INSTANCES"];
        one_of("requiresCompatibilities", Some(word), &known)?;
    }
    let platform = definition.runtime_platform.as_ref();
    let architecture = platform.and_then(|platform| platform.cpu_architecture.as_ref());
    one_of("cpuArchitecture", architecture, &["X86_64", "ARM64"])
}

fn check_containers(
    containers: &[ContainerDefinition],
    definition: &RegisterTaskDefinition,
) -> Result<(), ServiceException> {
    let mut names = BTreeSet::new();
    for container in containers {
        let name = check_container(container, definition)?;
        if !names.insert(name) {
            return Err(ServiceException::client(format!(
                "Invalid 'name' setting for container '{name}': container names must be unique \
                 within a task definition."
            )));
        }
    }
    if containers.iter().all(|container| container.essential == Some(false)) {
        return Err(ServiceException::client(
            "All task definitions must have at least one essential container.",
        ));
    }
    check_dependencies(containers, &names)
}

fn check_container<'a>(
    container: &'a ContainerDefinition,
    definition: &RegisterTaskDefinition,
) -> Result<&'a str, ServiceException> {
    let name = container.name.as_deref().unwrap_or_default();
    if name.is_empty() {
        return Err(ServiceException::client("Container.name should not be null or empty."));
    }
    if !is_identifier(name) {
        return Err(ServiceException::client("Container.name contains invalid characters."));
    }
    if container.image.as_deref().unwrap_or_default().is_empty() {
        return Err(ServiceException::client("Container.image should not be null or empty."));
    }
    let sized = container.memory.is_some() || container.memory_reservation.is_some();
    if !sized && definition.memory.is_none() && !definition.requires("FARGATE") {
        return Err(ServiceException::client(format!(
            "Invalid setting for container '{name}'. At least one of 'memory' or \
             'memoryReservation' must be specified."
        )));
    }
    // The smallest memory that Docker accepts.
    let too_small = |value: Option<i32>| value.is_some_and(|mib| mib < 6);
    if too_small(container.memory) || too_small(container.memory_reservation) {
        return Err(ServiceException::client(format!(
            "Invalid setting for container '{name}'. 'memory' must be at least 6 MiB."
        )));
    }
    for port in container.port_mappings.iter().flatten() {
        // In this mode a container has the task's own address, so there is no other port on a host.
        let differ = port.host_port.is_some_and(|host| Some(host) != port.container_port);
        if definition.network_mode.as_deref() == Some("awsvpc") && differ {
            return Err(ServiceException::client(
                "When networkMode=awsvpc, the host ports and container ports in port mappings \
                 must match.",
            ));
        }
    }
    for pair in container.environment.iter().flatten() {
        if pair.name.as_deref().unwrap_or_default().is_empty() {
            return Err(ServiceException::client(
                "Environment variable name should not be null or empty.",
            ));
        }
    }
    check_secrets(container, definition.execution_role_arn.is_some())?;
    check_memory_folders(container)?;
    Ok(name)
}

/// Checks that dependencies name other containers and form no ring, and that no container waits for the
/// end of an essential one, whose end would end the task.
fn check_dependencies(
    containers: &[ContainerDefinition],
    names: &BTreeSet<&str>,
) -> Result<(), ServiceException> {
    for container in containers {
        let name = container.name.as_deref().unwrap_or_default();
        for dependency in container.depends_on.iter().flatten() {
            let other = dependency.container_name.as_deref().unwrap_or_default();
            let condition = dependency.condition.as_deref().unwrap_or_default();
            if other == name {
                return Err(ServiceException::client(format!(
                    "Container '{name}' cannot depend on itself."
                )));
            }
            if !names.contains(other) {
                return Err(ServiceException::client(format!(
                    "Container '{name}' depends on container '{other}' which does not exist."
                )));
            }
            let target = containers.iter().find(|c| c.name.as_deref() == Some(other));
            let essential = target.is_some_and(|target| target.essential != Some(false));
            // The end of an essential container ends the task, so nothing can start after that end.
            match condition {
                "START" | "HEALTHY" => {}
                "COMPLETE" | "SUCCESS" if !essential => {}
                "COMPLETE" | "SUCCESS" => {
                    return Err(ServiceException::client(format!(
                        "A dependency of '{name}' on an essential container '{other}' may not have \
                         condition {condition}."
                    )));
                }
                _ => {
                    return Err(ServiceException::client(
                        "Container dependency condition must be one of START, COMPLETE, SUCCESS \
                         and HEALTHY.",
                    ));
                }
            }
            if condition == "HEALTHY" && target.is_some_and(|target| target.health_check.is_none())
            {
                return Err(ServiceException::client(format!(
                    "Container '{name}' depends on container '{other}' to be HEALTHY, which has no \
                     health check."
                )));
            }
        }
    }
    if start_order(containers).is_none() {
        return Err(ServiceException::client("There is a cycle in the container dependencies."));
    }
    Ok(())
}

/// The indexes of the containers in an order in which each stands after those that it depends on. `None`
/// if dependencies form a ring.
pub fn start_order(containers: &[ContainerDefinition]) -> Option<Vec<usize>> {
    let mut order: Vec<usize> = Vec::new();
    while order.len() < containers.len() {
        let placed = |name: Option<&String>| {
            order.iter().any(|&index| containers[index].name.as_ref() == name)
        };
        // The first container that is not placed and whose dependencies all are. Without one there is a
        // ring.
        let next = (0..containers.len()).find(|index| {
            let mut dependencies = containers[*index].depends_on.iter().flatten();
            !order.contains(index) && dependencies.all(|d| placed(d.container_name.as_ref()))
        })?;
        order.push(next);
    }
    Some(order)
}

fn check_volumes(definition: &RegisterTaskDefinition) -> Result<(), ServiceException> {
    let volumes = definition.volumes.as_deref().unwrap_or_default();
    let mut names = BTreeSet::new();
    for volume in volumes {
        let name = volume.name.as_deref().unwrap_or_default();
        if !is_identifier(name) {
            return Err(ServiceException::client("Volume.name should not be null or empty."));
        }
        if !names.insert(name) {
            return Err(ServiceException::client(format!("Volume name '{name}' is not unique.")));
        }
        check_file_system(volume)?;
    }
    for container in definition.container_definitions.iter().flatten() {
        for mount in container.mount_points.iter().flatten() {
            let source = mount.source_volume.as_deref().unwrap_or_default();
            if !names.contains(source) {
                return Err(ServiceException::client(format!("Unknown volume '{source}'.")));
            }
            let path = mount.container_path.as_deref().unwrap_or_default();
            if !path.starts_with('/') || path.split('/').any(|part| part == "..") {
                return Err(ServiceException::client(format!(
                    "Invalid mount point: the container path '{path}' must be absolute."
                )));
            }
        }
    }
    Ok(())
}

fn check_file_system(volume: &Volume) -> Result<(), ServiceException> {
    let Some(efs) = &volume.efs_volume_configuration else {
        return Ok(());
    };
    let id = efs.file_system_id.as_deref().unwrap_or_default();
    if !crate::services::ec2::network::is_id(id, "fs-") {
        return Err(ServiceException::client(format!("Invalid EFS file system ID: '{id}'.")));
    }
    let root = efs.root_directory.as_deref().unwrap_or("/");
    if !root.is_empty() && !root.starts_with('/') || root.split('/').any(|part| part == "..") {
        return Err(ServiceException::client("EFS root directory must be an absolute path."));
    }
    check_authorization(efs, root)
}

fn check_authorization(efs: &EfsVolume, root: &str) -> Result<(), ServiceException> {
    let encrypted = efs.transit_encryption.as_deref() == Some("ENABLED");
    let Some(authorization) = &efs.authorization_config else {
        return Ok(());
    };
    if let Some(point) = &authorization.access_point_id {
        if !crate::services::ec2::network::is_id(point, "fsap-") {
            return Err(ServiceException::client(format!(
                "Invalid EFS access point ID: '{point}'."
            )));
        }
        if !encrypted {
            return Err(ServiceException::client(
                "EFS transit encryption must be enabled when an access point is specified.",
            ));
        }
        if !root.is_empty() && root != "/" {
            return Err(ServiceException::client(
                "The root directory must be omitted or set to / when an access point is specified.",
            ));
        }
    }
    if authorization.iam.as_deref() == Some("ENABLED") && !encrypted {
        return Err(ServiceException::client(
            "EFS transit encryption must be enabled when IAM authorization is enabled.",
        ));
    }
    Ok(())
}
