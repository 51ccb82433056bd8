//! `DescribeSubnets` of EC2: where subnets are and how many addresses they have left, by ids, by filters or all
//! of them.

use super::described_resource::{DescribedResource, describe, flag, not_found};
use super::network::RegionNetwork;
use crate::account::ACCOUNT;
use crate::network::{CloudNetwork, CloudSubnet};
use crate::services::context::RequestContext;
use crate::wire::exception::ServiceException;
use crate::wire::form::{FormFields, list};
use crate::wire::xml::XmlElement;

pub fn describe_subnets(
    members: &FormFields,
    context: &RequestContext<'_>,
) -> Result<Vec<XmlElement>, ServiceException> {
    // In an open network every well-formed id exists, also those that are not described.
    let network = context.cloud.states.of::<RegionNetwork>();
    let ids = list(members, CloudSubnet::IDS);
    if ids.is_empty() {
        return describe::<CloudSubnet>(members, context);
    }
    let found = ids.iter().map(|id| network.subnet(id).ok_or_else(|| CloudSubnet::unknown(id)));
    let found: Vec<_> = found.collect::<Result<_, _>>()?;
    let items = found.iter().map(|subnet| subnet.item(context));
    Ok(vec![XmlElement::new(CloudSubnet::SET).with_all(items)])
}

impl DescribedResource for CloudSubnet {
    const IDS: &'static str = "SubnetId";
    const SET: &'static str = "subnetSet";
    const FILTERS: &'static [&'static str] = &["vpc-id", "subnet-id", "availability-zone"];

    fn all(network: &CloudNetwork) -> &[Self] {
        &network.subnets
    }

    fn id(&self) -> &str {
        &self.subnet
    }

    fn filter_values(&self, region: &str) -> Vec<(&'static str, String)> {
        vec![
            ("vpc-id", self.vpc.clone()),
            ("subnet-id", self.subnet.clone()),
            ("availability-zone", format!("{region}{}", self.zone)),
        ]
    }

    fn item(&self, context: &RequestContext<'_>) -> XmlElement {
        let region = context.region;
        let arn =
            format!("arn:{}:ec2:{region}:{ACCOUNT}:subnet/{}", context.partition(), self.subnet);
        let item = XmlElement::new("item")
            .with(XmlElement::text("subnetId", &self.subnet))
            .with(XmlElement::text("subnetArn", arn))
            .with(XmlElement::text("vpcId", &self.vpc))
            .with(XmlElement::text("state", "available"))
            .with(XmlElement::text("availabilityZone", format!("{region}{}", self.zone)))
            .with(XmlElement::text("ownerId", ACCOUNT))
            .with(flag("mapPublicIpOnLaunch", self.maps_public_addresses))
            .with(flag("assignIpv6AddressOnCreation", self.is_ipv6_only()))
            .with(flag("ipv6Native", self.is_ipv6_only()))
            .with(flag("defaultForAz", false));
        if self.is_ipv6_only() {
            let block =
                XmlElement::new("item").with(XmlElement::text("ipv6CidrBlock", &self.cidr)).with(
                    XmlElement::new("ipv6CidrBlockState")
                        .with(XmlElement::text("state", "associated")),
                );
            // Source: Amazon EC2 API Reference, `Subnet`: a subnet for IPv6 alone has no IPv4 addresses.
            return item
                .with(XmlElement::text("availableIpAddressCount", "0"))
                .with(XmlElement::new("ipv6CidrBlockAssociationSet").with(block));
        }
        let taken = context.cloud.ecs().live_tasks_in(region, &self.subnet);
        let free = self.free_addresses.saturating_sub(taken);
        item.with(XmlElement::text("cidrBlock", &self.cidr))
            .with(XmlElement::text("availableIpAddressCount", free.to_string()))
    }

    fn unknown(id: &str) -> ServiceException {
        not_found("InvalidSubnetID.NotFound", "subnet", id)
    }
}
