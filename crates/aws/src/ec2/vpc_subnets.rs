//! Subnets, with their addresses.
//!
//! Source: Amazon EC2 API Reference, `DescribeSubnets` and `Subnet`.

use ipnet::{Ipv4Net, Ipv6Net};
use serde::Deserialize;

use super::ec2_pages::{Ec2Filter, Ec2Items, Ec2ListAnswer, value_of};
use crate::account::AwsAccount;
use crate::call::CallError;

const RIGHT: &str = "ec2:DescribeSubnets";

/// A subnet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VpcSubnet {
    /// The id.
    pub id: String,
    /// The VPC.
    pub vpc: String,
    /// The zone's name.
    pub zone: String,
    /// Its addresses; `None` for a subnet of IPv6 alone.
    pub cidr: Option<Ipv4Net>,
    /// Its addresses of IPv6, if it has some.
    pub ipv6_cidr: Option<Ipv6Net>,
    /// How many of them are free. AWS keeps five of each subnet for itself.
    pub free_addresses: u32,
    /// Its state: `available` if it can be used.
    pub state: String,
}

impl AwsAccount {
    /// Those of these subnets that exist.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if EC2 refuses the call, or if no usable answer comes.
    pub async fn subnets_by_id(&self, ids: &[String]) -> Result<Vec<VpcSubnet>, CallError> {
        self.subnets_where(Ec2Filter { name: "subnet-id", values: ids }).await
    }

    /// All subnets of these VPCs.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if EC2 refuses the call, or if no usable answer comes.
    pub async fn subnets_of_vpcs(&self, vpcs: &[String]) -> Result<Vec<VpcSubnet>, CallError> {
        self.subnets_where(Ec2Filter { name: "vpc-id", values: vpcs }).await
    }

    async fn subnets_where(&self, filter: Ec2Filter<'_>) -> Result<Vec<VpcSubnet>, CallError> {
        let found = self.ec2_list::<VpcSubnetsAnswer>(RIGHT, filter).await?;
        self.ec2_read(RIGHT, found, VpcSubnetEntry::read)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VpcSubnetsAnswer {
    #[serde(default)]
    subnet_set: Ec2Items<VpcSubnetEntry>,
    next_token: Option<String>,
}

impl Ec2ListAnswer for VpcSubnetsAnswer {
    type Entry = VpcSubnetEntry;
    fn into_page(self) -> (Vec<Self::Entry>, Option<String>) {
        (self.subnet_set.items, self.next_token)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VpcSubnetEntry {
    subnet_id: String,
    vpc_id: String,
    availability_zone: String,
    #[serde(default)]
    cidr_block: String,
    #[serde(default)]
    ipv6_cidr_block_association_set: Ec2Items<SubnetIpv6Entry>,
    #[serde(default)]
    available_ip_address_count: u32,
    #[serde(default)]
    state: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SubnetIpv6Entry {
    #[serde(default)]
    ipv6_cidr_block: String,
    ipv6_cidr_block_state: Option<SubnetIpv6State>,
}

#[derive(Deserialize)]
struct SubnetIpv6State {
    #[serde(default)]
    state: String,
}

impl SubnetIpv6Entry {
    /// EC2 shows a range that was taken away for a while.
    fn holds(&self) -> bool {
        let state = self.ipv6_cidr_block_state.as_ref().map_or("", |state| state.state.as_str());
        !["disassociating", "disassociated", "failing", "failed"].contains(&state)
    }
}

impl VpcSubnetEntry {
    fn read(self) -> Result<VpcSubnet, String> {
        let cidr = match self.cidr_block.is_empty() {
            true => None,
            false => Some(value_of("the addresses of a subnet", &self.cidr_block)?),
        };
        let mut ranges = self.ipv6_cidr_block_association_set.items.iter();
        let ipv6 = ranges.find(|it| it.holds() && !it.ipv6_cidr_block.is_empty());
        let ipv6_cidr = ipv6
            .map(|it| value_of("the IPv6 addresses of a subnet", &it.ipv6_cidr_block))
            .transpose()?;
        Ok(VpcSubnet {
            id: self.subnet_id,
            vpc: self.vpc_id,
            zone: self.availability_zone,
            cidr,
            ipv6_cidr,
            free_addresses: self.available_ip_address_count,
            state: self.state,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::ec2_pages::parsed;
    use super::*;

    #[test]
    fn a_subnet_is_read_with_its_addresses() {
        let body = "<DescribeSubnetsResponse><requestId>r</requestId><subnetSet><item>\
            <subnetId>subnet-1</subnetId><state>available</state><vpcId>vpc-1</vpcId>\
            <cidrBlock>10.0.1.0/24</cidrBlock><availableIpAddressCount>251</availableIpAddressCount>\
            <ipv6CidrBlockAssociationSet><item><ipv6CidrBlock>2a05:d018:1:1::/64</ipv6CidrBlock>\
            <ipv6CidrBlockState><state>disassociated</state></ipv6CidrBlockState></item><item>\
            <ipv6CidrBlock>2a05:d018:1:2::/64</ipv6CidrBlock><ipv6CidrBlockState><state>associated</state>\
            </ipv6CidrBlockState></item></ipv6CidrBlockAssociationSet>\
            <availabilityZone>eu-west-1a</availabilityZone><tagSet/></item></subnetSet>\
            <nextToken>more</nextToken></DescribeSubnetsResponse>";
        let answer: VpcSubnetsAnswer = parsed(body).unwrap();
        let (mut entries, next) = answer.into_page();
        let subnet = entries.remove(0).read().unwrap();
        assert_eq!((subnet.free_addresses, next.as_deref()), (251, Some("more")));
        assert_eq!(subnet.cidr, Some("10.0.1.0/24".parse().unwrap()));
        assert_eq!(subnet.ipv6_cidr, Some("2a05:d018:1:2::/64".parse().unwrap()));
        let odd: VpcSubnetsAnswer = parsed(&body.replace("10.0.1.0/24", "ten")).unwrap();
        assert!(odd.into_page().0.remove(0).read().is_err());
        let none: VpcSubnetsAnswer = parsed("<R><subnetSet/></R>").unwrap();
        assert!(none.into_page().0.is_empty());
    }
}
