//! What a RunTask comes to once the resources are looked at: definition, size, capacity, places.

use std::sync::Arc;

use fargate_model::size::Size;

use super::fargate_checks::{check_disk, size};
use super::put_cluster_capacity_providers::check_strategy;
use super::run_task::RunTask;
use crate::state::cluster::Cluster;
use crate::state::definition::{DefinitionStatus, TaskDefinition};
use crate::state::network::Place;
use crate::state::region::Region;
use crate::state::tags::Tags;
use crate::wire::refusal::Refusal;

/// Platform versions that still take tasks, and what LATEST is.
///
/// Source: Amazon ECS Developer Guide, "Fargate Linux platform versions".
const PLATFORM_VERSIONS: [&str; 2] = ["1.3.0", "1.4.0"];
const LATEST: &str = "1.4.0";

/// A request that can be carried out.
pub struct Launch {
    pub definition: Arc<TaskDefinition>,
    pub size: Size,
    pub capacity_provider: Option<String>,
    pub platform_version: String,
    pub places: Vec<Place>,
    /// Each task gets a public address too.
    pub public_address: bool,
    pub tags: Tags,
}

impl Launch {
    /// Its tasks use spare capacity.
    pub fn is_on_spot(&self) -> bool {
        self.capacity_provider.as_deref() == Some("FARGATE_SPOT")
    }
}

/// Accepts a request for what is there.
pub fn plan(request: &RunTask, region: &Region) -> Result<Launch, Refusal> {
    let cluster = region.cluster(request.cluster.as_deref())?;
    let reference = super::required(request.task_definition.as_ref(), "taskDefinition")?;
    let definition = region
        .definition(reference)
        .filter(|definition| definition.status != DefinitionStatus::DeleteInProgress)
        .ok_or_else(|| Refusal::client("TaskDefinition not found."))?;
    if definition.status == DefinitionStatus::Inactive {
        return Err(Refusal::client("TaskDefinition is inactive"));
    }
    let capacity_provider = capacity_provider(request, cluster)?;
    if !definition.compatibilities().contains(&"FARGATE") {
        return Err(Refusal::parameter("Task definition does not support launch_type FARGATE."));
    }
    if request.placement_constraints.as_ref().is_some_and(|list| !list.is_empty())
        || request.placement_strategy.as_ref().is_some_and(|list| !list.is_empty())
    {
        return Err(Refusal::client(
            "Placement constraints and placement strategies are not supported with FARGATE launch \
             type.",
        ));
    }
    let size = overridden_size(request, definition)?;
    let platform_version = platform_version(request, definition)?;
    let role = request.overrides.as_ref().and_then(|overrides| overrides.task_role_arn.as_ref());
    let has_role = role.is_some() || definition.shape.task_role_arn.is_some();
    if request.enable_execute_command == Some(true) && !has_role {
        return Err(Refusal::parameter(
            "The task couldn't be started because a valid taskRoleArn is not being used. Specify a \
             valid task role in your task definition and try again.",
        ));
    }
    let network = request.network_configuration.as_ref();
    let network = network.and_then(|network| network.awsvpc_configuration.as_ref());
    let network = network.ok_or_else(|| {
        Refusal::parameter(
            "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
        )
    })?;
    let places = region.network.places(network)?;
    let public_address = network.assign_public_ip.as_deref() == Some("ENABLED");
    let tags = tags(request, definition, cluster)?;
    let definition = Arc::clone(definition);
    Ok(Launch {
        definition,
        size,
        capacity_provider,
        platform_version,
        places,
        public_address,
        tags,
    })
}

/// The provider that runs the tasks, when a strategy decides. A launch type has none.
fn capacity_provider(request: &RunTask, cluster: &Cluster) -> Result<Option<String>, Refusal> {
    match request.launch_type.as_deref() {
        Some("FARGATE") => return Ok(None),
        Some("EC2") => return Err(no_instances()),
        Some("EXTERNAL") => {
            return Err(Refusal::parameter("No External Instances were found in your cluster."));
        }
        Some(_) => {
            return Err(Refusal::parameter("launchType must be one of EC2, FARGATE and EXTERNAL."));
        }
        None => {}
    }
    let own = request.capacity_provider_strategy.as_ref();
    if let Some(own) = own {
        check_strategy(&cluster.capacity_providers, own)?;
    }
    let strategy = own.filter(|own| !own.is_empty()).unwrap_or(&cluster.default_strategy);
    // A base comes first, then the heaviest: with a single task there is nothing to spread.
    let first = strategy
        .iter()
        .max_by_key(|item| (item.base.unwrap_or(0) > 0, item.weight.unwrap_or(0)))
        .ok_or_else(no_instances)?;
    Ok(first.capacity_provider.clone())
}

fn no_instances() -> Refusal {
    Refusal::parameter("No Container Instances were found in your cluster.")
}

fn overridden_size(request: &RunTask, definition: &TaskDefinition) -> Result<Size, Refusal> {
    let overrides = request.overrides.as_ref();
    let shape = &definition.shape;
    let cpu = overrides.and_then(|o| o.cpu.as_deref()).or(shape.cpu.as_deref());
    let memory = overrides.and_then(|o| o.memory.as_deref()).or(shape.memory.as_deref());
    check_disk(overrides.and_then(|overrides| overrides.ephemeral_storage.as_ref()))?;
    for one in overrides.and_then(|o| o.container_overrides.as_ref()).into_iter().flatten() {
        let name = one
            .name
            .as_deref()
            .filter(|name| !name.is_empty())
            .ok_or_else(|| Refusal::parameter("Container override name can not be blank."))?;
        if !definition.containers().iter().any(|c| c.name.as_deref() == Some(name)) {
            return Err(Refusal::parameter(format!(
                "Override for container named {name} is not a container in the TaskDefinition."
            )));
        }
    }
    size(cpu, memory)
}

fn platform_version(request: &RunTask, definition: &TaskDefinition) -> Result<String, Refusal> {
    let version = match request.platform_version.as_deref() {
        None | Some("LATEST") => LATEST,
        Some(version) => {
            PLATFORM_VERSIONS.into_iter().find(|known| *known == version).ok_or_else(|| {
                Refusal::new(
                    "PlatformUnknownException",
                    "The specified platform version does not exist.",
                )
            })?
        }
    };
    let disk = definition.shape.ephemeral_storage.is_some();
    if version != LATEST && (definition.mounts_file_systems() || disk) {
        return Err(Refusal::new(
            "PlatformTaskDefinitionIncompatibilityException",
            "One or more of the requested capabilities are not supported.",
        ));
    }
    Ok(version.to_owned())
}

fn tags(
    request: &RunTask,
    definition: &TaskDefinition,
    cluster: &Cluster,
) -> Result<Tags, Refusal> {
    let propagated = match request.propagate_tags.as_deref() {
        Some("TASK_DEFINITION") => definition.tags.clone(),
        _ => Tags::default(),
    };
    let tags = propagated.with(request.tags.clone())?;
    if request.enable_ecs_managed_tags == Some(true) {
        return Ok(tags.with_managed("aws:ecs:clusterName", &cluster.name));
    }
    Ok(tags)
}
