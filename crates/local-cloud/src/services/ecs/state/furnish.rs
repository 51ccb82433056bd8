//! The resources of ECS that a Region starts with, unless its cloud starts empty.

use std::time::SystemTime;

use super::cluster::CloudCluster;
use super::region::CloudRegion;
use super::tags::ResourceTags;
use crate::seed::{CLUSTER, CONTAINER, FAMILY};
use crate::services::ecs::shape::cluster::ClusterSetting;
use crate::services::ecs::shape::definition::{ContainerDefinition, RegisterTaskDefinition};

/// Adds the cluster and the task definition to a Region. The definition names this image.
pub fn furnish(region: &mut CloudRegion, image: &str, now: SystemTime) {
    let text = |text: &str| Some(text.to_owned());
    let cluster = CloudCluster {
        name: CLUSTER.to_owned(),
        arn: region.names.cluster(CLUSTER),
        settings: vec![ClusterSetting { name: text("containerInsights"), value: text("disabled") }],
        capacity_providers: vec!["FARGATE".to_owned(), "FARGATE_SPOT".to_owned()],
        ..CloudCluster::default()
    };
    region.clusters.insert(CLUSTER.to_owned(), cluster);
    let container = ContainerDefinition {
        name: text(CONTAINER),
        image: text(image),
        ..ContainerDefinition::default()
    };
    let definition = RegisterTaskDefinition {
        family: text(FAMILY),
        network_mode: text("awsvpc"),
        requires_compatibilities: Some(vec!["FARGATE".to_owned()]),
        cpu: text("1024"),
        memory: text("2048"),
        container_definitions: Some(vec![container]),
        ..RegisterTaskDefinition::default()
    };
    region.register(definition, ResourceTags::default(), now);
}
