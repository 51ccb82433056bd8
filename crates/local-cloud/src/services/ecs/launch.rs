//! Checks a RunTask against the resources that it names, and collects what the tasks need: definition,
//! size, capacity and subnets.

use std::sync::Arc;

use fargate_model::size::FargateSize;

use super::fargate_checks::{check_disk, size};
use super::placement::places;
use super::put_cluster_capacity_providers::check_strategy;
use crate::network::CloudSubnet;
use crate::services::ec2::network::RegionNetwork;
use crate::services::ecs::shape::run_task::RunTask;
use crate::services::ecs::state::cluster::CloudCluster;
use crate::services::ecs::state::definition::{DefinitionStatus, TaskDefinition};
use crate::services::ecs::state::region::CloudRegion;
use crate::services::ecs::state::tags::ResourceTags;
use crate::services::member_checks::required;
use crate::wire::exception::ServiceException;

/// Platform versions that still take tasks, and what LATEST is.
///
/// Source: Amazon ECS Developer Guide, "Fargate Linux platform versions".
const PLATFORM_VERSIONS: [&str; 2] = ["1.3.0", "1.4.0"];
const LATEST: &str = "1.4.0";

/// A request that passed every check, with what its tasks need.
pub struct CheckedLaunch {
    pub definition: Arc<TaskDefinition>,
    pub size: FargateSize,
    pub capacity_provider: Option<String>,
    pub platform_version: String,
    pub places: Vec<CloudSubnet>,
    /// Each task gets a public address as well.
    pub public_address: bool,
    pub tags: ResourceTags,
}

impl CheckedLaunch {
    /// Whether its tasks run on spare capacity.
    pub fn is_on_spot(&self) -> bool {
        self.capacity_provider.as_deref() == Some("FARGATE_SPOT")
    }
}

/// Checks a request against the resources of a Region, in the order in which ECS does.
pub fn plan(
    request: &RunTask,
    region: &CloudRegion,
    network: &RegionNetwork,
) -> Result<CheckedLaunch, ServiceException> {
    let cluster = region.cluster(request.cluster.as_deref())?;
    let reference = required(request.task_definition.as_ref(), "taskDefinition")?;
    let definition = region
        .definition(reference)
        .filter(|definition| definition.status != DefinitionStatus::DeleteInProgress)
        .ok_or_else(|| ServiceException::client("TaskDefinition not found."))?;
    if definition.status == DefinitionStatus::Inactive {
        return Err(ServiceException::client("TaskDefinition is inactive"));
    }
    // The capacity is chosen before Fargate's own checks: a request for instances of EC2 gets the answer
    // that there are none.
    let capacity_provider = capacity_provider(request, cluster)?;
    if !definition.compatibilities().contains(&"FARGATE") {
        return Err(ServiceException::parameter(
            "Task definition does not support launch_type FARGATE.",
        ));
    }
    if request.placement_constraints.as_ref().is_some_and(|list| !list.is_empty())
        || request.placement_strategy.as_ref().is_some_and(|list| !list.is_empty())
    {
        return Err(ServiceException::client(
            "Placement constraints and placement strategies are not supported with FARGATE launch \
             type.",
        ));
    }
    let size = overridden_size(request, definition)?;
    let platform_version = platform_version(request, definition)?;
    let role = request.overrides.as_ref().and_then(|overrides| overrides.task_role_arn.as_ref());
    // ECS Exec talks to its service with the permissions of the task role.
    let has_role = role.is_some() || definition.shape.task_role_arn.is_some();
    if request.enable_execute_command == Some(true) && !has_role {
        return Err(ServiceException::parameter(
            "The task couldn't be started because a valid taskRoleArn is not being used. Specify a \
             valid task role in your task definition and try again.",
        ));
    }
    let asked = request.network_configuration.as_ref();
    let asked = asked.and_then(|asked| asked.awsvpc_configuration.as_ref());
    let asked = asked.ok_or_else(|| {
        ServiceException::parameter(
            "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
        )
    })?;
    let places = places(network, asked)?;
    let public_address = asked.assign_public_ip.as_deref() == Some("ENABLED");
    let tags = tags(request, definition, cluster)?;
    let definition = Arc::clone(definition);
    Ok(CheckedLaunch {
        definition,
        size,
        capacity_provider,
        platform_version,
        places,
        public_address,
        tags,
    })
}

/// The capacity provider that runs the tasks, if a strategy decides. A launch type has none.
pub fn capacity_provider(
    request: &RunTask,
    cluster: &CloudCluster,
) -> Result<Option<String>, ServiceException> {
    match request.launch_type.as_deref() {
        Some("FARGATE") => return Ok(None),
        Some("EC2") => return Err(no_instances()),
        Some("EXTERNAL") => {
            return Err(ServiceException::parameter(
                "No External Instances were found in your cluster.",
            ));
        }
        Some(_) => {
            return Err(ServiceException::parameter(
                "launchType must be one of EC2, FARGATE and EXTERNAL.",
            ));
        }
        None => {}
    }
    let own = request.capacity_provider_strategy.as_ref();
    if let Some(own) = own {
        check_strategy(&cluster.capacity_providers, own)?;
    }
    let strategy = own.filter(|own| !own.is_empty()).unwrap_or(&cluster.default_strategy);
    // The provider with a base comes first, then the one with the highest weight. All tasks of a call
    // go there: a client that starts one task at a time sees no difference from spreading.
    let first = strategy
        .iter()
        .max_by_key(|item| (item.base.unwrap_or(0) > 0, item.weight.unwrap_or(0)))
        .ok_or_else(no_instances)?;
    Ok(first.capacity_provider.clone())
}

fn no_instances() -> ServiceException {
    ServiceException::parameter("No Container Instances were found in your cluster.")
}

fn overridden_size(
    request: &RunTask,
    definition: &TaskDefinition,
) -> Result<FargateSize, ServiceException> {
    let overrides = request.overrides.as_ref();
    let shape = &definition.shape;
    let cpu = overrides.and_then(|o| o.cpu.as_deref()).or(shape.cpu.as_deref());
    let memory = overrides.and_then(|o| o.memory.as_deref()).or(shape.memory.as_deref());
    check_disk(overrides.and_then(|overrides| overrides.ephemeral_storage.as_ref()))?;
    for one in overrides.and_then(|o| o.container_overrides.as_ref()).into_iter().flatten() {
        let name = one.name.as_deref().filter(|name| !name.is_empty()).ok_or_else(|| {
            ServiceException::parameter("Container override name can not be blank.")
        })?;
        if !definition.containers().iter().any(|c| c.name.as_deref() == Some(name)) {
            return Err(ServiceException::parameter(format!(
                "Override for container named {name} is not a container in the TaskDefinition."
            )));
        }
    }
    size(cpu, memory)
}

fn platform_version(
    request: &RunTask,
    definition: &TaskDefinition,
) -> Result<String, ServiceException> {
    let version = match request.platform_version.as_deref() {
        None | Some("LATEST") => LATEST,
        Some(version) => {
            PLATFORM_VERSIONS.into_iter().find(|known| *known == version).ok_or_else(|| {
                ServiceException::new(
                    "PlatformUnknownException",
                    "The specified platform version does not exist.",
                )
            })?
        }
    };
    let disk = definition.shape.ephemeral_storage.is_some();
    if version != LATEST && (definition.mounts_file_systems() || disk) {
        return Err(ServiceException::new(
            "PlatformTaskDefinitionIncompatibilityException",
            "One or more of the requested capabilities are not supported.",
        ));
    }
    Ok(version.to_owned())
}

fn tags(
    request: &RunTask,
    definition: &TaskDefinition,
    cluster: &CloudCluster,
) -> Result<ResourceTags, ServiceException> {
    let propagated = match request.propagate_tags.as_deref() {
        Some("TASK_DEFINITION") => definition.tags.clone(),
        _ => ResourceTags::default(),
    };
    let tags = propagated.with(request.tags.clone())?;
    if request.enable_ecs_managed_tags == Some(true) {
        return Ok(tags.with_managed("aws:ecs:clusterName", &cluster.name));
    }
    Ok(tags)
}
