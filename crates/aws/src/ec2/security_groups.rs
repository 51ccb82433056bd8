//! Security groups: the stateful rules of network interfaces.
//!
//! Source: Amazon EC2 API Reference, `DescribeSecurityGroups` and `IpPermission`.

use ipnet::IpNet;
use serde::Deserialize;

use super::ec2_pages::{Ec2Filter, Ec2Items, Ec2ListAnswer, value_of};
use super::traffic_rule::{PortRange, TrafficProtocol, ports_of};
use crate::account::AwsAccount;
use crate::call::CallError;

const RIGHT: &str = "ec2:DescribeSecurityGroups";

/// A security group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityGroup {
    /// The id.
    pub id: String,
    /// The VPC.
    pub vpc: String,
    /// What may come in.
    pub ingress: Vec<GroupRule>,
    /// What may go out.
    pub egress: Vec<GroupRule>,
}

/// What a security group lets pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRule {
    /// The protocol.
    pub protocol: TrafficProtocol,
    /// The destination's ports.
    pub ports: PortRange,
    /// The other sides.
    pub peers: Vec<GroupPeer>,
}

/// The other side of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupPeer {
    /// Addresses.
    Cidr(IpNet),
    /// Whoever is in this security group, by its private addresses.
    Group(String),
    /// The addresses of a prefix list, by its id.
    PrefixList(String),
}

impl AwsAccount {
    /// Those of these security groups that exist.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if EC2 refuses the call, or if no usable answer comes.
    pub async fn security_groups_by_id(
        &self,
        ids: &[String],
    ) -> Result<Vec<SecurityGroup>, CallError> {
        self.security_groups_where(Ec2Filter { name: "group-id", values: ids }).await
    }

    /// All security groups of these VPCs.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if EC2 refuses the call, or if no usable answer comes.
    pub async fn security_groups_of_vpcs(
        &self,
        vpcs: &[String],
    ) -> Result<Vec<SecurityGroup>, CallError> {
        self.security_groups_where(Ec2Filter { name: "vpc-id", values: vpcs }).await
    }

    async fn security_groups_where(
        &self,
        filter: Ec2Filter<'_>,
    ) -> Result<Vec<SecurityGroup>, CallError> {
        let found = self.ec2_list::<SecurityGroupsAnswer>(RIGHT, filter).await?;
        self.ec2_read(RIGHT, found, SecurityGroupEntry::read)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SecurityGroupsAnswer {
    #[serde(default)]
    security_group_info: Ec2Items<SecurityGroupEntry>,
    next_token: Option<String>,
}

impl Ec2ListAnswer for SecurityGroupsAnswer {
    type Entry = SecurityGroupEntry;
    fn into_page(self) -> (Vec<Self::Entry>, Option<String>) {
        (self.security_group_info.items, self.next_token)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SecurityGroupEntry {
    group_id: String,
    #[serde(default)]
    vpc_id: String,
    #[serde(default)]
    ip_permissions: Ec2Items<GroupPermissionEntry>,
    #[serde(default)]
    ip_permissions_egress: Ec2Items<GroupPermissionEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GroupPermissionEntry {
    ip_protocol: String,
    from_port: Option<i32>,
    to_port: Option<i32>,
    #[serde(default)]
    groups: Ec2Items<PermittedGroup>,
    #[serde(default)]
    ip_ranges: Ec2Items<PermittedRange>,
    #[serde(default)]
    ipv6_ranges: Ec2Items<PermittedRange>,
    #[serde(default)]
    prefix_list_ids: Ec2Items<PermittedPrefixList>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PermittedGroup {
    #[serde(default)]
    group_id: String,
}

/// EC2 writes a range of IPv4 and one of IPv6 in elements of different names.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PermittedRange {
    cidr_ip: Option<String>,
    cidr_ipv6: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PermittedPrefixList {
    #[serde(default)]
    prefix_list_id: String,
}

impl SecurityGroupEntry {
    fn read(self) -> Result<SecurityGroup, String> {
        let rules = |found: Ec2Items<GroupPermissionEntry>| {
            found.items.into_iter().map(GroupPermissionEntry::read).collect::<Result<Vec<_>, _>>()
        };
        Ok(SecurityGroup {
            id: self.group_id,
            vpc: self.vpc_id,
            ingress: rules(self.ip_permissions)?,
            egress: rules(self.ip_permissions_egress)?,
        })
    }
}

impl GroupPermissionEntry {
    fn read(self) -> Result<GroupRule, String> {
        let protocol = TrafficProtocol::read(&self.ip_protocol)?;
        let ports = match protocol {
            TrafficProtocol::Tcp | TrafficProtocol::Udp => ports_of(self.from_port, self.to_port)?,
            // For ICMP the two numbers are a type and a code.
            TrafficProtocol::All | TrafficProtocol::Other(_) => PortRange::ALL,
        };
        let mut peers = Vec::new();
        for range in self.ip_ranges.items.into_iter().chain(self.ipv6_ranges.items) {
            let text = range.cidr_ip.or(range.cidr_ipv6).unwrap_or_default();
            peers.push(GroupPeer::Cidr(value_of("the addresses of a rule", &text)?));
        }
        peers.extend(self.groups.items.into_iter().map(|it| GroupPeer::Group(it.group_id)));
        let lists = self.prefix_list_ids.items.into_iter();
        peers.extend(lists.map(|it| GroupPeer::PrefixList(it.prefix_list_id)));
        Ok(GroupRule { protocol, ports, peers })
    }
}

#[cfg(test)]
mod tests {
    use super::super::ec2_pages::parsed;
    use super::*;

    #[test]
    fn a_group_is_read_with_the_other_sides_of_its_rules() {
        let body = "<R><securityGroupInfo><item><ownerId>1</ownerId><groupId>sg-1</groupId>\
            <groupName>task</groupName><vpcId>vpc-1</vpcId><ipPermissions><item><ipProtocol>tcp</ipProtocol>\
            <fromPort>22</fromPort><toPort>22</toPort><groups><item><userId>1</userId><groupId>sg-2</groupId>\
            </item></groups><ipRanges/><ipv6Ranges><item><cidrIpv6>::/0</cidrIpv6></item></ipv6Ranges>\
            <prefixListIds/></item></ipPermissions><ipPermissionsEgress><item><ipProtocol>-1</ipProtocol>\
            <groups/><ipRanges><item><cidrIp>0.0.0.0/0</cidrIp></item></ipRanges><prefixListIds><item>\
            <prefixListId>pl-1</prefixListId></item></prefixListIds></item></ipPermissionsEgress></item>\
            </securityGroupInfo></R>";
        let answer: SecurityGroupsAnswer = parsed(body).unwrap();
        let group = answer.into_page().0.remove(0).read().unwrap();
        let everywhere = GroupPeer::Cidr("::/0".parse().unwrap());
        assert_eq!(group.ingress[0].peers, [everywhere, GroupPeer::Group("sg-2".to_owned())]);
        assert_eq!(group.ingress[0].ports, PortRange::one(22));
        assert_eq!(
            (group.egress[0].protocol, group.egress[0].ports),
            (TrafficProtocol::All, PortRange::ALL)
        );
        assert_eq!(group.egress[0].peers[1], GroupPeer::PrefixList("pl-1".to_owned()));
    }
}
