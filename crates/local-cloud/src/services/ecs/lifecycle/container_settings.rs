//! What a task definition says of a container beside its program: user, limits, health check.

use std::time::Duration;

use crate::backend::container::{ContainerSettings, ContainerUlimit, HealthProbe, MemoryFolder};
use crate::services::ecs::shape::definition::{ContainerDefinition, HealthCheck, Tmpfs};
use crate::services::ecs::state::task::CloudTask;

/// The settings of one container.
pub(super) fn container_settings(
    task: &CloudTask,
    definition: &ContainerDefinition,
) -> ContainerSettings {
    let name = definition.name.as_deref().unwrap_or_default();
    let own = task.container_override(name);
    let linux = definition.linux_parameters.clone().unwrap_or_default();
    let capabilities = linux.capabilities.unwrap_or_default();
    ContainerSettings {
        user: definition.user.clone(),
        init_process: linux.init_process_enabled == Some(true),
        read_only_root: definition.readonly_root_filesystem == Some(true),
        pseudo_terminal: definition.pseudo_terminal == Some(true),
        cpu_units: own.and_then(|own| own.cpu).or(definition.cpu),
        memory_mib: own.and_then(|own| own.memory).or(definition.memory),
        memory_reservation_mib: own
            .and_then(|own| own.memory_reservation)
            .or(definition.memory_reservation),
        // Written by the check of the size, so both are numbers.
        task_cpu_units: task.cpu.parse().unwrap_or_default(),
        task_memory_mib: task.memory.parse().unwrap_or_default(),
        memory_folders: linux.tmpfs.iter().flatten().filter_map(memory_folder).collect(),
        ulimits: ulimits(definition),
        added_capabilities: capabilities.add.unwrap_or_default(),
        dropped_capabilities: capabilities.drop.unwrap_or_default(),
        labels: definition.docker_labels.clone().unwrap_or_default().into_iter().collect(),
        health_probe: definition.health_check.as_ref().map(health_probe),
    }
}

/// Fargate gives every container 65,535 open files. Not every machine may give so many, so what is not
/// asked for is left to the engine.
fn ulimits(definition: &ContainerDefinition) -> Vec<ContainerUlimit> {
    let given = definition.ulimits.iter().flatten().map(|limit| ContainerUlimit {
        name: limit.name.clone().unwrap_or_default(),
        soft: limit.soft_limit.unwrap_or_default(),
        hard: limit.hard_limit.unwrap_or_default(),
    });
    given.collect()
}

fn memory_folder(tmpfs: &Tmpfs) -> Option<MemoryFolder> {
    Some(MemoryFolder {
        path: tmpfs.container_path.clone()?.into(),
        size_mib: tmpfs.size.and_then(|size| size.try_into().ok())?,
        options: tmpfs.mount_options.clone().unwrap_or_default(),
    })
}

/// Source of the defaults: Amazon ECS API Reference, `HealthCheck`.
fn health_probe(check: &HealthCheck) -> HealthProbe {
    let seconds = |given: Option<i32>, default: u64| {
        let given = given.and_then(|seconds| u64::try_from(seconds).ok());
        Duration::from_secs(given.unwrap_or(default))
    };
    HealthProbe {
        command: check.command.clone().unwrap_or_default(),
        interval: seconds(check.interval, 30),
        timeout: seconds(check.timeout, 5),
        retries: check.retries.and_then(|retries| u32::try_from(retries).ok()).unwrap_or(3),
        start_period: seconds(check.start_period, 0),
    }
}
