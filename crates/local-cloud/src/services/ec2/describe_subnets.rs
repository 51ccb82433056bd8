//! `DescribeSubnets` of EC2: which zone a subnet is in, by ids or all of them.
//!
//! Source, for shape and errors: Amazon EC2 API Reference, version 2016-11-15.

use crate::account::ACCOUNT;
use crate::seed::VPC;
use crate::services::context::RequestContext;
use crate::services::ec2::network::{CloudSubnet, RegionNetwork};
use crate::wire::exception::ServiceException;
use crate::wire::form::{FormFields, list};
use crate::wire::xml::XmlElement;

pub fn describe_subnets(
    members: &FormFields,
    context: &RequestContext<'_>,
) -> Result<Vec<XmlElement>, ServiceException> {
    let ids = list(members, "SubnetId");
    let network = context.cloud.states.of::<RegionNetwork>();
    let places = network.subnets(&ids).map_err(|id| {
        ServiceException::new(
            "InvalidSubnetID.NotFound",
            format!("The subnet ID '{id}' does not exist"),
        )
    })?;
    let partition = context.partition();
    let described = |place: &CloudSubnet| {
        let arn =
            format!("arn:{partition}:ec2:{}:{ACCOUNT}:subnet/{}", context.region, place.subnet);
        XmlElement::new("item")
            .with(XmlElement::text("subnetId", &place.subnet))
            .with(XmlElement::text("subnetArn", arn))
            .with(XmlElement::text("vpcId", VPC))
            .with(XmlElement::text("state", "available"))
            .with(XmlElement::text("availabilityZone", format!("{}{}", context.region, place.zone)))
            .with(XmlElement::text("ownerId", ACCOUNT))
            .with(XmlElement::text("mapPublicIpOnLaunch", "false"))
    };
    Ok(vec![XmlElement::new("subnetSet").with_all(places.iter().map(described))])
}
