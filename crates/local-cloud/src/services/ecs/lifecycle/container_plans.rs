//! What each container of a task runs, in which order they start, and what each waits for.

use std::path::PathBuf;
use std::sync::Arc;

use super::container_settings::container_settings;
use super::mounted_file_system::TaskFileSystems;
use super::resolved_secrets::ResolvedSecrets;
use crate::backend::container::{ContainerPlan, PulledImage, VolumeMount, VolumeSource};
use crate::cloud::CloudInstance;
use crate::services::ecs::definition_checks::start_order;
use crate::services::ecs::shape::common::KeyValue;
use crate::services::ecs::shape::definition::{ContainerDefinition, MountPoint};
use crate::services::ecs::state::task::CloudTask;
use crate::services::logs::streams::{CloudLogStreams, LogStreamName, LogStreamWriter};

/// Names the place of the credentials of the task's role. On Fargate it is a path at 169.254.170.2, an
/// address that this machine does not have, so containers get a whole URL here.
const CREDENTIALS: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";

/// One container, ready to start.
pub(super) struct PlannedContainer {
    pub index: usize,
    pub essential: bool,
    pub waits_for: Vec<StartDependency>,
    pub workload: ContainerWorkload,
}

/// What a container runs.
pub(super) enum ContainerWorkload {
    Program(Box<ContainerPlan>),
    /// A second container without a command where images are not run, so that there is nothing to run.
    /// It counts as running until the task ends.
    Nothing,
}

/// What has to be true of another container first.
pub(super) struct StartDependency {
    pub index: usize,
    pub condition: String,
}

/// What the containers of a task share.
pub(super) struct TaskParts<'a> {
    /// In the order of the containers.
    pub images: &'a [PulledImage],
    pub file_systems: &'a TaskFileSystems,
    pub secrets: &'a ResolvedSecrets,
    /// Where all of them get credentials of the task's role.
    pub credentials_url: Option<&'a str>,
}

/// The containers of a task in the order in which they start.
pub(super) fn all_plans(
    task: &CloudTask,
    parts: &TaskParts<'_>,
    cloud: &CloudInstance,
) -> Vec<PlannedContainer> {
    let definitions = task.definition.containers();
    let order = start_order(definitions).unwrap_or_else(|| (0..definitions.len()).collect());
    let runs_images = cloud.backend.runs_images();
    let is_bare = |definition: &ContainerDefinition| {
        definition.entry_point.iter().flatten().next().is_none()
            && command(task, definition).iter().flatten().next().is_none()
    };
    // The agent listens at the task's address, so only the first container without a command is it.
    let agent = definitions.iter().position(is_bare);
    let planned = |index: usize| {
        let definition = &definitions[index];
        let runs = runs_images || !is_bare(definition) || agent == Some(index);
        let workload = match (task.interface.address, parts.images.get(index)) {
            (Some(address), Some(image)) if runs => {
                ContainerWorkload::Program(Box::new(ContainerPlan {
                    task: task.id.clone(),
                    task_arn: task.arn.clone(),
                    container: definition.name.clone().unwrap_or_default(),
                    image: image.clone(),
                    entry_point: definition.entry_point.clone(),
                    command: command(task, definition),
                    environment: environment(
                        task,
                        definition,
                        parts.credentials_url,
                        parts.secrets.of_container(index),
                    ),
                    working_directory: definition.working_directory.clone(),
                    mounts: mounts(task, definition, parts.file_systems),
                    address,
                    log_stream: log_stream(task, definition, cloud),
                    settings: container_settings(task, definition),
                }))
            }
            _ => ContainerWorkload::Nothing,
        };
        let dependency = |name: &Option<String>, condition: &Option<String>| {
            let index = definitions.iter().position(|other| other.name == *name)?;
            Some(StartDependency { index, condition: condition.clone().unwrap_or_default() })
        };
        let waits_for = definition.depends_on.iter().flatten();
        let waits_for = waits_for.filter_map(|d| dependency(&d.container_name, &d.condition));
        let essential = definition.essential != Some(false);
        PlannedContainer { index, essential, waits_for: waits_for.collect(), workload }
    };
    order.into_iter().map(planned).collect()
}

/// Where the output goes by the log driver `awslogs`.
///
/// Source: Amazon ECS Developer Guide, "Send Amazon ECS logs to CloudWatch", whose names these are.
fn log_stream(
    task: &CloudTask,
    definition: &ContainerDefinition,
    cloud: &CloudInstance,
) -> Option<LogStreamWriter> {
    let log = definition.log_configuration.as_ref()?;
    let options = log.options.as_ref().filter(|_| log.log_driver.as_deref() == Some("awslogs"))?;
    let prefix = options.get("awslogs-stream-prefix")?;
    let container = definition.name.as_deref().unwrap_or_default();
    let name = LogStreamName {
        region: options.get("awslogs-region").unwrap_or(&task.region).clone(),
        group: options.get("awslogs-group")?.clone(),
        stream: format!("{prefix}/{container}/{}", task.id),
    };
    Some(LogStreamWriter { streams: Arc::clone(cloud.states.of::<Arc<CloudLogStreams>>()), name })
}

/// An override's command replaces the definition's; the entry point stays.
fn command(task: &CloudTask, definition: &ContainerDefinition) -> Option<Vec<String>> {
    let name = definition.name.as_deref().unwrap_or_default();
    let own = task.container_override(name).and_then(|one| one.command.clone());
    own.or_else(|| definition.command.clone())
}

/// The variables of the definition, those of the override, those of ECS itself, and the secrets.
fn environment(
    task: &CloudTask,
    definition: &ContainerDefinition,
    credentials_url: Option<&str>,
    secrets: impl Iterator<Item = (String, String)>,
) -> Vec<(String, String)> {
    let name = definition.name.as_deref().unwrap_or_default();
    let own = task.container_override(name).and_then(|one| one.environment.as_ref());
    let pair = |pair: &KeyValue| {
        (pair.name.clone().unwrap_or_default(), pair.value.clone().unwrap_or_default())
    };
    let given = definition.environment.iter().flatten().chain(own.into_iter().flatten()).map(pair);
    let credentials = credentials_url.map(|url| (CREDENTIALS.to_owned(), url.to_owned()));
    given.chain(credentials).chain(secrets).collect()
}

fn mounts(
    task: &CloudTask,
    definition: &ContainerDefinition,
    file_systems: &TaskFileSystems,
) -> Vec<VolumeMount> {
    let mount = |point: &MountPoint| {
        let volume = task.definition.volumes().iter().find(|v| v.name == point.source_volume)?;
        let name = volume.name.clone().unwrap_or_default();
        let read_only = point.read_only == Some(true);
        let path = PathBuf::from(point.container_path.as_deref()?);
        Some(match file_systems.get(&name) {
            Some(mounted) => VolumeMount {
                source: VolumeSource::Folder(mounted.folder.clone()),
                path,
                read_only: read_only || !mounted.is_writable,
            },
            None => VolumeMount { source: VolumeSource::Task { name }, path, read_only },
        })
    };
    definition.mount_points.iter().flatten().filter_map(mount).collect()
}
