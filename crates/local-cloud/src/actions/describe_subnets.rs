//! `DescribeSubnets` of EC2: which zone a subnet is in, by ids or all of them.
//!
//! Source, for shape and errors: Amazon EC2 API Reference, version 2016-11-15.

use super::RequestContext;
use crate::state::arns::ACCOUNT;
use crate::state::network::CloudSubnet;
use crate::wire::exception::ServiceException;
use crate::wire::query::{FormFields, list};
use crate::wire::xml::XmlElement;

pub fn describe_subnets(
    members: &FormFields,
    scene: &RequestContext<'_>,
) -> Result<Vec<XmlElement>, ServiceException> {
    let ids = list(members, "SubnetId");
    let mut state = scene.cloud.state();
    let region = state.region(scene.region, scene.now);
    let places = region.network.subnets(&ids).map_err(|id| {
        ServiceException::new(
            "InvalidSubnetID.NotFound",
            format!("The subnet ID '{id}' does not exist"),
        )
    })?;
    let partition = scene.partition();
    let described = |place: &CloudSubnet| {
        let arn = format!("arn:{partition}:ec2:{}:{ACCOUNT}:subnet/{}", scene.region, place.subnet);
        XmlElement::new("item")
            .with(XmlElement::text("subnetId", &place.subnet))
            .with(XmlElement::text("subnetArn", arn))
            .with(XmlElement::text("state", "available"))
            .with(XmlElement::text("availabilityZone", format!("{}{}", scene.region, place.zone)))
            .with(XmlElement::text("ownerId", ACCOUNT))
            .with(XmlElement::text("mapPublicIpOnLaunch", "false"))
    };
    Ok(vec![XmlElement::new("subnetSet").with_all(places.iter().map(described))])
}
