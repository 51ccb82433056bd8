//! A container as the engine takes it: from the task definition's words to those of the engine.

use std::collections::HashMap;
use std::time::Duration;

use bollard::models::{
    ContainerCreateBody, HealthConfig, HostConfig, HostConfigLogConfig, Mount, MountType,
    MountVolumeOptions, ResourcesUlimits,
};

use super::labels::{CONTAINER_NAME, Labels};
use crate::backend::container::{
    ContainerPlan, ContainerSettings, HealthProbe, MemoryFolder, VolumeMount, VolumeSource,
};

/// Units of cpu that are one processor.
const UNITS: i64 = 1024;
/// A billionth of a processor is the engine's unit.
const NANOS: i64 = 1_000_000_000;
const MIB: i64 = 1024 * 1024;

/// Where a container is placed.
pub struct ContainerPlace<'a> {
    /// The engine's id of the container that holds the task's network.
    pub network_holder: &'a str,
    /// Labels of everything that belongs to the task.
    pub labels: Labels,
    /// How many processors the machine has.
    pub processors: u32,
}

/// The name of a container on the engine.
pub fn container_name(task: &str, container: &str) -> String {
    format!("fargate-local-{task}-{container}")
}

/// The name of the container that holds a task's network. Names in task definitions have no dot.
pub fn holder_name(task: &str) -> String {
    format!("fargate-local-{task}.network")
}

/// Where nothing is written by the engine itself: the cloud reads the output as it comes.
pub fn no_log() -> HostConfigLogConfig {
    HostConfigLogConfig { typ: Some("none".to_owned()), config: None }
}

/// The container of a plan.
pub fn container_body(plan: &ContainerPlan, place: &ContainerPlace<'_>) -> ContainerCreateBody {
    let settings = &plan.settings;
    // The cloud's own labels win: by them it finds the container again.
    let mut labels: Labels = settings.labels.iter().cloned().collect();
    labels.extend(place.labels.clone());
    labels.insert(CONTAINER_NAME.to_owned(), plan.container.clone());
    ContainerCreateBody {
        image: Some(plan.image.id.clone()),
        entrypoint: plan.entry_point.clone(),
        cmd: plan.command.clone(),
        env: Some(environment(plan)),
        working_dir: plan.working_directory.clone(),
        user: settings.user.clone(),
        tty: Some(settings.pseudo_terminal),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        labels: Some(labels),
        healthcheck: Some(health_check(settings.health_probe.as_ref())),
        host_config: Some(host_config(plan, place)),
        ..ContainerCreateBody::default()
    }
}

/// Each name once; a later value replaces an earlier one.
fn environment(plan: &ContainerPlan) -> Vec<String> {
    let mut variables: Vec<(&String, &String)> = Vec::new();
    for (name, value) in &plan.environment {
        variables.retain(|(other, _)| *other != name);
        variables.push((name, value));
    }
    variables.iter().map(|(name, value)| format!("{name}={value}")).collect()
}

fn host_config(plan: &ContainerPlan, place: &ContainerPlace<'_>) -> HostConfig {
    let settings = &plan.settings;
    let memory = memory_bytes(settings);
    let mounts = plan.mounts.iter().map(|mount| engine_mount(mount, plan, place));
    HostConfig {
        network_mode: Some(format!("container:{}", place.network_holder)),
        log_config: Some(no_log()),
        mounts: Some(mounts.collect()),
        memory,
        // The same as `memory`: Fargate has no swap.
        memory_swap: memory,
        memory_reservation: settings.memory_reservation_mib.map(|mib| i64::from(mib) * MIB),
        cpu_shares: settings.cpu_units.filter(|units| *units > 1).map(i64::from),
        nano_cpus: nano_cpus(settings, place.processors),
        init: Some(settings.init_process),
        readonly_rootfs: Some(settings.read_only_root),
        cap_add: Some(settings.added_capabilities.clone()),
        cap_drop: Some(settings.dropped_capabilities.clone()),
        ulimits: Some(ulimits(settings)),
        tmpfs: Some(memory_folders(settings)),
        ..HostConfig::default()
    }
}

/// Its own limit, or that of the whole task. The containers of a task together may use more than the
/// task has: the engine knows no tasks.
fn memory_bytes(settings: &ContainerSettings) -> Option<i64> {
    let task = i64::from(settings.task_memory_mib) * MIB;
    let own = settings.memory_mib.map(|mib| i64::from(mib) * MIB);
    Some(own.unwrap_or(task)).filter(|bytes| *bytes > 0)
}

/// The processors of the task, as far as the machine has so many.
fn nano_cpus(settings: &ContainerSettings, processors: u32) -> Option<i64> {
    let asked = i64::from(settings.task_cpu_units) * NANOS / UNITS;
    Some(asked.min(i64::from(processors) * NANOS)).filter(|nanos| *nanos > 0)
}

/// Each path with its options, the size among them.
fn memory_folders(settings: &ContainerSettings) -> HashMap<String, String> {
    let entry = |folder: &MemoryFolder| {
        let size = format!("size={}m", folder.size_mib);
        let options: Vec<_> = folder.options.iter().chain([&size]).cloned().collect();
        (folder.path.to_string_lossy().into_owned(), options.join(","))
    };
    settings.memory_folders.iter().map(entry).collect()
}

fn ulimits(settings: &ContainerSettings) -> Vec<ResourcesUlimits> {
    let limit = |limit: &crate::backend::container::ContainerUlimit| ResourcesUlimits {
        name: Some(limit.name.clone()),
        soft: Some(limit.soft.into()),
        hard: Some(limit.hard.into()),
    };
    settings.ulimits.iter().map(limit).collect()
}

/// A file system is a folder of this machine. A volume of the task alone is one of the engine: what the
/// image has at that place, with its owner, is in it at the beginning, as on Fargate.
fn engine_mount(mount: &VolumeMount, plan: &ContainerPlan, place: &ContainerPlace<'_>) -> Mount {
    let target = Some(mount.path.to_string_lossy().into_owned());
    let read_only = Some(mount.read_only);
    match &mount.source {
        VolumeSource::Folder(folder) => {
            let source = Some(folder.to_string_lossy().into_owned());
            Mount { typ: Some(MountType::BIND), source, target, read_only, ..Mount::default() }
        }
        VolumeSource::Task { name } => Mount {
            typ: Some(MountType::VOLUME),
            source: Some(container_name(&plan.task, name)),
            volume_options: Some(MountVolumeOptions {
                labels: Some(place.labels.clone()),
                ..MountVolumeOptions::default()
            }),
            target,
            read_only,
            ..Mount::default()
        },
    }
}

/// ECS looks at its own health checks alone, not at those of images.
fn health_check(probe: Option<&HealthProbe>) -> HealthConfig {
    let Some(probe) = probe else {
        return HealthConfig { test: Some(vec!["NONE".to_owned()]), ..HealthConfig::default() };
    };
    let nanos = |time: Duration| i64::try_from(time.as_nanos()).ok();
    HealthConfig {
        test: Some(probe.command.clone()),
        interval: nanos(probe.interval),
        timeout: nanos(probe.timeout),
        retries: Some(probe.retries.into()),
        start_period: nanos(probe.start_period),
        ..HealthConfig::default()
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::backend::container::ContainerUlimit;

    #[test]
    fn the_words_of_a_task_definition_become_those_of_the_engine() {
        let mut plan = ContainerPlan::bare("0123", "job", IpAddr::from([10, 0, 0, 2]));
        plan.environment =
            [("A", "1"), ("B", "2"), ("A", "3")].map(|(n, v)| (n.into(), v.into())).to_vec();
        plan.settings = ContainerSettings {
            user: Some("1000:1000".to_owned()),
            init_process: true,
            memory_mib: Some(512),
            task_cpu_units: 4096,
            task_memory_mib: 8192,
            memory_folders: vec![MemoryFolder {
                path: "/scratch".into(),
                size_mib: 64,
                options: vec!["noexec".to_owned()],
            }],
            ulimits: vec![ContainerUlimit { name: "nofile".to_owned(), soft: 1, hard: 2 }],
            health_probe: Some(HealthProbe {
                command: vec!["CMD-SHELL".to_owned(), "true".to_owned()],
                interval: Duration::from_secs(30),
                timeout: Duration::from_secs(5),
                retries: 3,
                start_period: Duration::ZERO,
            }),
            ..ContainerSettings::default()
        };
        let efs = VolumeSource::Folder("/cloud/efs/fs-01234567/root/cache".into());
        let task = VolumeSource::Task { name: "scratch".to_owned() };
        plan.mounts = vec![
            VolumeMount { source: efs, path: "/cache".into(), read_only: true },
            VolumeMount { source: task, path: "/scratch".into(), read_only: false },
        ];
        let place =
            ContainerPlace { network_holder: "holder", labels: Labels::new(), processors: 2 };
        let body = container_body(&plan, &place);
        assert_eq!(body.env, Some(vec!["B=2".to_owned(), "A=3".to_owned()]));
        let host = body.host_config.expect("it has one");
        assert_eq!(host.network_mode.as_deref(), Some("container:holder"));
        assert_eq!((host.memory, host.memory_swap), (Some(512 << 20), Some(512 << 20)));
        assert_eq!(host.nano_cpus, Some(2_000_000_000), "the machine has no more");
        let scratch = host.tmpfs.as_ref().and_then(|folders| folders.get("/scratch"));
        assert_eq!(scratch.map(String::as_str), Some("noexec,size=64m"));
        let mounts = host.mounts.expect("two");
        assert_eq!(mounts[0].source.as_deref(), Some("/cloud/efs/fs-01234567/root/cache"));
        assert_eq!(mounts[1].source.as_deref(), Some("fargate-local-0123-scratch"));
        let health = body.healthcheck.expect("one");
        assert_eq!(health.interval, Some(30_000_000_000));
        assert_eq!(health_check(None).test, Some(vec!["NONE".to_owned()]));
    }
}
