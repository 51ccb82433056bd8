//! `DescribeSubnets` of EC2: which zone a subnet is in, by ids or all of them.
//!
//! Source, for shape and errors: Amazon EC2 API Reference, version 2016-11-15.

use super::Scene;
use crate::state::names::ACCOUNT;
use crate::state::network::Place;
use crate::wire::query::{Members, list};
use crate::wire::refusal::Refusal;
use crate::wire::xml::Element;

pub fn describe_subnets(members: &Members, scene: &Scene<'_>) -> Result<Vec<Element>, Refusal> {
    let ids = list(members, "SubnetId");
    let mut state = scene.cloud.state();
    let region = state.region(scene.region, scene.now);
    let places = region.network.subnets(&ids).map_err(|id| {
        Refusal::new("InvalidSubnetID.NotFound", format!("The subnet ID '{id}' does not exist"))
    })?;
    let partition = scene.partition();
    let described = |place: &Place| {
        let arn = format!("arn:{partition}:ec2:{}:{ACCOUNT}:subnet/{}", scene.region, place.subnet);
        Element::new("item")
            .with(Element::text("subnetId", &place.subnet))
            .with(Element::text("subnetArn", arn))
            .with(Element::text("state", "available"))
            .with(Element::text("availabilityZone", format!("{}{}", scene.region, place.zone)))
            .with(Element::text("ownerId", ACCOUNT))
            .with(Element::text("mapPublicIpOnLaunch", "false"))
    };
    Ok(vec![Element::new("subnetSet").with_all(places.iter().map(described))])
}
