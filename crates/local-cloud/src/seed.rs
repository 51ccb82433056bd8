//! The resources that a cloud starts with, in every Region that is asked for: a cluster, two
//! subnets in two zones and one for IPv6, a security group and a task definition.

use std::time::SystemTime;

use crate::state::address::SubnetAddressFamily;
use crate::state::cluster::CloudCluster;
use crate::state::region::CloudRegion;
use crate::state::tags::ResourceTags;
use crate::wire::shape::cluster::ClusterSetting;
use crate::wire::shape::definition::{ContainerDefinition, RegisterTaskDefinition};

/// The cluster's name.
pub const CLUSTER: &str = "ci";
/// The subnets, in the zones a and b.
pub const SUBNETS: [&str; 2] = ["subnet-0a1b2c3d4e5f60718", "subnet-0b2c3d4e5f607182a"];
/// A subnet whose tasks have an IPv6 address only. This machine has one such loopback address, so
/// there is room for one task at a time, and none on a cloud that itself listens there.
pub const IPV6_SUBNET: &str = "subnet-0d4e5f60718293b4c";
/// The security group.
pub const SECURITY_GROUP: &str = "sg-0c3d4e5f60718293b";
/// The task definition's family.
pub const FAMILY: &str = "ci-job";
/// The container's name.
pub const CONTAINER: &str = "job";
/// The Region of the configuration that the cloud writes.
pub const REGION: &str = "eu-west-1";

/// Puts the resources into a Region.
pub fn furnish(region: &mut CloudRegion, now: SystemTime) {
    let text = |text: &str| Some(text.to_owned());
    let cluster = CloudCluster {
        name: CLUSTER.to_owned(),
        arn: region.names.cluster(CLUSTER),
        settings: vec![ClusterSetting { name: text("containerInsights"), value: text("disabled") }],
        capacity_providers: vec!["FARGATE".to_owned(), "FARGATE_SPOT".to_owned()],
        ..CloudCluster::default()
    };
    region.clusters.insert(CLUSTER.to_owned(), cluster);
    for (subnet, zone) in SUBNETS.iter().zip(['a', 'b']) {
        region.network.add_subnet(subnet, zone, SubnetAddressFamily::Four);
    }
    region.network.add_subnet(IPV6_SUBNET, 'a', SubnetAddressFamily::Six);
    region.network.add_security_group(SECURITY_GROUP);
    let container = ContainerDefinition {
        name: text(CONTAINER),
        image: text("registry.example/ci/job:1"),
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
