//! The request that starts tasks.
//!
//! Source: the model of the ECS API, version 2014-11-13, as the SDKs carry it. Nothing is checked
//! here but types.

use serde_json::Value;

use super::common::{CapacityProviderStrategyItem, NetworkConfiguration, Tag, TaskOverride};
use crate::wire::member::shapes;

shapes! {
    PlacementConstraint {
        kind: String = "type",
        expression: String = "expression",
    }
    PlacementStrategy {
        kind: String = "type",
        field: String = "field",
    }
    RunTask {
        capacity_provider_strategy: Vec<CapacityProviderStrategyItem> = "capacityProviderStrategy",
        cluster: String = "cluster",
        count: i32 = "count",
        enable_ecs_managed_tags: bool = "enableECSManagedTags",
        enable_execute_command: bool = "enableExecuteCommand",
        group: String = "group",
        launch_type: String = "launchType",
        network_configuration: NetworkConfiguration = "networkConfiguration",
        overrides: TaskOverride = "overrides",
        placement_constraints: Vec<PlacementConstraint> = "placementConstraints",
        placement_strategy: Vec<PlacementStrategy> = "placementStrategy",
        platform_version: String = "platformVersion",
        propagate_tags: String = "propagateTags",
        reference_id: String = "referenceId",
        started_by: String = "startedBy",
        tags: Vec<Tag> = "tags",
        task_definition: String = "taskDefinition",
        client_token: String = "clientToken",
        volume_configurations: Vec<Value> = "volumeConfigurations",
    }
}
