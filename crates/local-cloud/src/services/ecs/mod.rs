//! Amazon ECS: clusters, task definitions and tasks on Fargate.
//!
//! Each operation is one file: it reads its request, reads or changes the state under one short lock,
//! and gives the body of the answer. `lifecycle` moves tasks on; no operation waits for it.

mod access_questions;
mod create_cluster;
mod definition_checks;
mod delete_cluster;
mod delete_task_definitions;
mod deregister_task_definition;
mod describe_capacity_providers;
mod describe_clusters;
mod describe_task_definition;
mod describe_tasks;
mod errors;
mod fargate_checks;
mod launch;
mod launch_checks;
pub mod lifecycle;
mod list_clusters;
mod list_tags_for_resource;
mod list_task_definition_families;
mod list_task_definitions;
mod list_tasks;
mod placement;
mod put_cluster_capacity_providers;
mod register_task_definition;
mod request_tasks;
mod run_task;
mod secret_checks;
mod shape;
pub mod state;
mod stop_task;
mod tag_resource;
mod untag_resource;

use create_cluster::CreateCluster;
use delete_cluster::DeleteCluster;
use delete_task_definitions::DeleteTaskDefinitions;
use deregister_task_definition::DeregisterTaskDefinition;
use describe_capacity_providers::DescribeCapacityProviders;
use describe_clusters::DescribeClusters;
use describe_task_definition::DescribeTaskDefinition;
use describe_tasks::DescribeTasks;
use list_clusters::ListClusters;
use list_tags_for_resource::ListTagsForResource;
use list_task_definition_families::ListTaskDefinitionFamilies;
use list_task_definitions::ListTaskDefinitions;
use list_tasks::ListTasks;
use put_cluster_capacity_providers::PutClusterCapacityProviders;
use shape::definition::RegisterTaskDefinition;
use shape::run_task::RunTask;
use stop_task::StopTask;
use tag_resource::TagResource;
use untag_resource::UntagResource;

pub(crate) use register_task_definition::register;

use super::definition::OperationRight::AllResources;
use super::definition::TaskReference::{Existing, Started};
use super::definition::{CloudService, ServiceOperation};
use super::protocol::ServiceProtocol;

/// The service.
pub(crate) const SERVICE: CloudService = CloudService {
    prepare: |states, options| states.add(state::EcsState::new(options)),
    access_questions: access_questions::access_questions,
    tasks_named: request_tasks::tasks_named,
    ..CloudService::new(
        "ecs",
        ServiceProtocol::Json { target: "AmazonEC2ContainerServiceV20141113.", message: "message" },
        OPERATIONS,
    )
};

const OPERATIONS: &[ServiceOperation] = &[
    ServiceOperation::json::<CreateCluster>("CreateCluster", AllResources),
    ServiceOperation::json::<DeleteCluster>("DeleteCluster", AllResources),
    ServiceOperation::json::<DeleteTaskDefinitions>("DeleteTaskDefinitions", AllResources),
    ServiceOperation::json::<DeregisterTaskDefinition>("DeregisterTaskDefinition", AllResources),
    ServiceOperation::json::<DescribeCapacityProviders>("DescribeCapacityProviders", AllResources),
    ServiceOperation::json::<DescribeClusters>("DescribeClusters", AllResources),
    ServiceOperation::json::<DescribeTaskDefinition>("DescribeTaskDefinition", AllResources),
    ServiceOperation::json::<DescribeTasks>("DescribeTasks", AllResources).with_tasks(Existing),
    ServiceOperation::json::<ListClusters>("ListClusters", AllResources),
    ServiceOperation::json::<ListTagsForResource>("ListTagsForResource", AllResources)
        .with_tasks(Existing),
    ServiceOperation::json::<ListTaskDefinitionFamilies>(
        "ListTaskDefinitionFamilies",
        AllResources,
    ),
    ServiceOperation::json::<ListTaskDefinitions>("ListTaskDefinitions", AllResources),
    ServiceOperation::json::<ListTasks>("ListTasks", AllResources),
    ServiceOperation::json::<PutClusterCapacityProviders>(
        "PutClusterCapacityProviders",
        AllResources,
    ),
    ServiceOperation::json::<RegisterTaskDefinition>("RegisterTaskDefinition", AllResources),
    ServiceOperation::json::<RunTask>("RunTask", AllResources).with_tasks(Started),
    ServiceOperation::json::<StopTask>("StopTask", AllResources).with_tasks(Existing),
    ServiceOperation::json::<TagResource>("TagResource", AllResources).with_tasks(Existing),
    ServiceOperation::json::<UntagResource>("UntagResource", AllResources).with_tasks(Existing),
];

#[cfg(test)]
mod tests;
