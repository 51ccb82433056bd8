//! What Fargate refuses in a task definition: sizes, network mode, and what needs a host.
//!
//! Source: Amazon ECS Developer Guide, "Amazon ECS task definition differences for Fargate".

use fargate_model::size::{FargateSize, cpu_units_of, memory_mib_of};

use crate::services::ecs::shape::common::EphemeralStorage;
use crate::services::ecs::shape::definition::{ContainerDefinition, RegisterTaskDefinition};
use crate::wire::exception::ServiceException;

/// Seconds that a container may have to start or to stop. Source: Amazon ECS API Reference,
/// `ContainerDefinition`, `startTimeout` and `stopTimeout`.
const TIMEOUT_S: std::ops::RangeInclusive<i32> = 2..=120;
/// The sizes in GiB that a request can give a task's disk. Source: as above, `EphemeralStorage`.
const DISK_GIB: std::ops::RangeInclusive<i32> = 21..=200;

/// Checks a definition that requires FARGATE, and writes its size as ECS shows it.
pub fn check(definition: &mut RegisterTaskDefinition) -> Result<(), ServiceException> {
    if definition.network_mode.as_deref() != Some("awsvpc") {
        return Err(ServiceException::client(
            "Fargate only supports network mode \u{2018}awsvpc\u{2019}.",
        ));
    }
    let size = size(definition.cpu.as_deref(), definition.memory.as_deref())?;
    definition.cpu = Some(size.cpu_units.to_string());
    definition.memory = Some(size.memory_mib.to_string());
    check_disk(definition.ephemeral_storage.as_ref())?;
    let refused = [
        ("ipcMode", definition.ipc_mode.is_some()),
        ("pidMode other than task", definition.pid_mode.as_deref().is_some_and(|m| m != "task")),
        ("constraints", has(definition.placement_constraints.as_ref())),
        ("inferenceAccelerators", has(definition.inference_accelerators.as_ref())),
        (
            "sourcePath",
            definition
                .volumes
                .iter()
                .flatten()
                .any(|volume| volume.host.as_ref().is_some_and(|host| host.source_path.is_some())),
        ),
        (
            "dockerVolumeConfiguration",
            definition.volumes.iter().flatten().any(|v| v.docker_volume_configuration.is_some()),
        ),
    ];
    refuse(&refused)?;
    for container in definition.container_definitions.iter().flatten() {
        check_container(container)?;
        check_execution_role(container, definition.execution_role_arn.is_some())?;
    }
    Ok(())
}

/// Reads a size of Fargate: cpu and memory as numbers, or as "1 vCPU" and "2 GB".
pub fn size(cpu: Option<&str>, memory: Option<&str>) -> Result<FargateSize, ServiceException> {
    let missing = |name: &str| {
        ServiceException::client(format!(
            "Fargate requires that '{name}' be defined at the task level."
        ))
    };
    let cpu = cpu.ok_or_else(|| missing("cpu"))?;
    let memory = memory.ok_or_else(|| missing("memory"))?;
    let cpu = cpu_units_of(cpu).ok_or_else(|| {
        ServiceException::client(
            "Invalid 'cpu' setting for task. For more information, see the Troubleshooting section \
             of the Amazon ECS Developer Guide.",
        )
    })?;
    let memory = memory_mib_of(memory).ok_or_else(|| {
        ServiceException::client(
            "Invalid 'memory' setting for task. For more information, see the Troubleshooting \
             section of the Amazon ECS Developer Guide.",
        )
    })?;
    FargateSize::check(cpu, memory)
        .map_err(|_| ServiceException::client("No Fargate configuration exists for given values."))
}

/// Checks that Fargate offers a disk of this size.
pub fn check_disk(storage: Option<&EphemeralStorage>) -> Result<(), ServiceException> {
    let Some(gib) = storage.and_then(|storage| storage.size_in_gib) else {
        return Ok(());
    };
    if gib < *DISK_GIB.start() {
        return Err(ServiceException::client(format!(
            "EphemeralStorage size should be at least {}",
            DISK_GIB.start()
        )));
    }
    if gib > *DISK_GIB.end() {
        return Err(ServiceException::client(format!(
            "EphemeralStorage size should be at most {}",
            DISK_GIB.end()
        )));
    }
    Ok(())
}

fn check_container(container: &ContainerDefinition) -> Result<(), ServiceException> {
    let linux = container.linux_parameters.as_ref();
    // Each of these needs a host that the task's owner controls.
    let added = linux.and_then(|linux| linux.capabilities.as_ref()).and_then(|c| c.add.as_ref());
    refuse(&[
        ("privileged", container.privileged == Some(true)),
        ("links", has(container.links.as_ref())),
        ("disableNetworking", container.disable_networking == Some(true)),
        ("dnsServers", has(container.dns_servers.as_ref())),
        ("dnsSearchDomains", has(container.dns_search_domains.as_ref())),
        ("extraHosts", has(container.extra_hosts.as_ref())),
        ("dockerSecurityOptions", has(container.docker_security_options.as_ref())),
        ("gpu", has(container.resource_requirements.as_ref())),
        ("devices", linux.is_some_and(|linux| has(linux.devices.as_ref()))),
        ("sharedMemorySize", linux.is_some_and(|linux| linux.shared_memory_size.is_some())),
        ("maxSwap", linux.is_some_and(|linux| linux.max_swap.is_some())),
        ("swappiness", linux.is_some_and(|linux| linux.swappiness.is_some())),
        (
            "adding capabilities other than SYS_PTRACE",
            added.is_some_and(|added| added.iter().any(|name| name != "SYS_PTRACE")),
        ),
    ])?;
    let timeouts =
        [("startTimeout", container.start_timeout), ("stopTimeout", container.stop_timeout)];
    for (name, seconds) in timeouts {
        if seconds.is_some_and(|seconds| !TIMEOUT_S.contains(&seconds)) {
            return Err(ServiceException::client(format!(
                "Invalid '{name}' setting for container '{}'. Fargate allows {} to {} seconds.",
                container.name.as_deref().unwrap_or_default(),
                TIMEOUT_S.start(),
                TIMEOUT_S.end()
            )));
        }
    }
    let driver = container.log_configuration.as_ref().and_then(|log| log.log_driver.as_deref());
    match driver {
        None | Some("awslogs" | "splunk" | "awsfirelens") => Ok(()),
        Some(driver) => Err(ServiceException::client(format!(
            "Fargate compatible task definitions do not support the log driver {driver}."
        ))),
    }
}

fn check_execution_role(
    container: &ContainerDefinition,
    has_role: bool,
) -> Result<(), ServiceException> {
    let driver = container.log_configuration.as_ref().and_then(|log| log.log_driver.as_deref());
    let image = container.image.as_deref().unwrap_or_default();
    let needs = [
        ("log driver awslogs", driver == Some("awslogs")),
        ("ECR images", image.contains(".dkr.ecr.")),
        ("private registry authentication", container.repository_credentials.is_some()),
        ("secrets", has(container.secrets.as_ref())),
    ];
    match needs.iter().find(|(_, needed)| *needed && !has_role) {
        None => Ok(()),
        Some((what, _)) => Err(ServiceException::client(format!(
            "Fargate requires task definition to have execution role ARN to support {what}."
        ))),
    }
}

fn has<T>(list: Option<&Vec<T>>) -> bool {
    list.is_some_and(|list| !list.is_empty())
}

fn refuse(table: &[(&str, bool)]) -> Result<(), ServiceException> {
    match table.iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((what, _)) => Err(ServiceException::client(format!(
            "Fargate compatible task definitions do not support {what}"
        ))),
    }
}
