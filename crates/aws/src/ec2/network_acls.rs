//! Network ACLs: the stateless rules of subnets.
//!
//! Source: Amazon EC2 API Reference, `DescribeNetworkAcls` and `NetworkAclEntry`.

use ipnet::IpNet;
use serde::Deserialize;

use super::ec2_pages::{Ec2Filter, Ec2Items, Ec2ListAnswer, value_of};
use super::traffic_rule::{PortRange, TrafficProtocol, ports_of};
use crate::account::AwsAccount;
use crate::call::CallError;

const RIGHT: &str = "ec2:DescribeNetworkAcls";

/// A network ACL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkAcl {
    /// The id.
    pub id: String,
    /// The VPC.
    pub vpc: String,
    /// The subnets that it guards. Every subnet has exactly one.
    pub subnets: Vec<String>,
    /// The rules, lowest number first: the first that fits decides, and without one nothing passes.
    pub entries: Vec<AclEntry>,
}

/// A rule of a network ACL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AclEntry {
    /// Its number.
    pub number: u32,
    /// Whether it is for what leaves the subnet.
    pub is_egress: bool,
    /// Whether it lets pass.
    pub is_allowed: bool,
    /// The protocol.
    pub protocol: TrafficProtocol,
    /// The other side: where it comes from, or goes to.
    pub cidr: IpNet,
    /// The destination's ports.
    pub ports: PortRange,
}

impl AwsAccount {
    /// All network ACLs of these VPCs.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if EC2 refuses the call, or if no usable answer comes.
    pub async fn network_acls(&self, vpcs: &[String]) -> Result<Vec<NetworkAcl>, CallError> {
        let filter = Ec2Filter { name: "vpc-id", values: vpcs };
        let found = self.ec2_list::<NetworkAclsAnswer>(RIGHT, filter).await?;
        self.ec2_read(RIGHT, found, NetworkAclSetEntry::read)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NetworkAclsAnswer {
    #[serde(default)]
    network_acl_set: Ec2Items<NetworkAclSetEntry>,
    next_token: Option<String>,
}

impl Ec2ListAnswer for NetworkAclsAnswer {
    type Entry = NetworkAclSetEntry;
    fn into_page(self) -> (Vec<Self::Entry>, Option<String>) {
        (self.network_acl_set.items, self.next_token)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NetworkAclSetEntry {
    network_acl_id: String,
    #[serde(default)]
    vpc_id: String,
    #[serde(default)]
    entry_set: Ec2Items<AclRuleEntry>,
    #[serde(default)]
    association_set: Ec2Items<NetworkAclAssociation>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NetworkAclAssociation {
    #[serde(default)]
    subnet_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AclRuleEntry {
    rule_number: u32,
    protocol: String,
    rule_action: String,
    egress: bool,
    cidr_block: Option<String>,
    ipv6_cidr_block: Option<String>,
    port_range: Option<AclPortRange>,
}

#[derive(Deserialize)]
struct AclPortRange {
    from: Option<i32>,
    to: Option<i32>,
}

impl NetworkAclSetEntry {
    fn read(self) -> Result<NetworkAcl, String> {
        let entries = self.entry_set.items.into_iter().map(AclRuleEntry::read);
        let mut entries = entries.collect::<Result<Vec<_>, _>>()?;
        entries.sort_by_key(|entry| entry.number);
        let subnets = self.association_set.items.into_iter().map(|it| it.subnet_id).collect();
        Ok(NetworkAcl { id: self.network_acl_id, vpc: self.vpc_id, subnets, entries })
    }
}

impl AclRuleEntry {
    fn read(self) -> Result<AclEntry, String> {
        let cidr = self.cidr_block.or(self.ipv6_cidr_block).unwrap_or_default();
        let ports = self.port_range.unwrap_or(AclPortRange { from: None, to: None });
        let protocol = TrafficProtocol::read(&self.protocol)?;
        let ports = match protocol {
            // Such a rule is for all ports, whatever the numbers say.
            TrafficProtocol::All => PortRange::ALL,
            _ => ports_of(ports.from, ports.to)?,
        };
        Ok(AclEntry {
            number: self.rule_number,
            is_egress: self.egress,
            is_allowed: self.rule_action == "allow",
            protocol,
            cidr: value_of("the addresses of a rule", &cidr)?,
            ports,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::ec2_pages::parsed;
    use super::*;

    #[test]
    fn rules_are_read_in_their_order() {
        let rule = |number: u32, action: &str, protocol: &str, ports: &str| {
            format!(
                "<item><ruleNumber>{number}</ruleNumber><protocol>{protocol}</protocol>\
                 <ruleAction>{action}</ruleAction><egress>false</egress><cidrBlock>0.0.0.0/0</cidrBlock>\
                 {ports}</item>"
            )
        };
        let body = format!(
            "<R><networkAclSet><item><networkAclId>acl-1</networkAclId><vpcId>vpc-1</vpcId><default>false\
             </default><entrySet>{}{}</entrySet><associationSet><item><subnetId>subnet-1</subnetId></item>\
             </associationSet></item></networkAclSet></R>",
            rule(32767, "deny", "-1", ""),
            rule(100, "allow", "6", "<portRange><from>1024</from><to>65535</to></portRange>"),
        );
        let answer: NetworkAclsAnswer = parsed(&body).unwrap();
        let acl = answer.into_page().0.remove(0).read().unwrap();
        assert_eq!(acl.subnets, ["subnet-1"]);
        let rules: Vec<_> = acl.entries.iter().map(|it| (it.number, it.ports)).collect();
        assert_eq!(rules, [(100, PortRange { first: 1024, last: 65535 }), (32767, PortRange::ALL)]);
        assert_eq!(acl.entries[0].protocol, TrafficProtocol::Tcp);
        let odd = body.replace("<to>65535</to>", "<to>70000</to>");
        let answer: NetworkAclsAnswer = parsed(&odd).unwrap();
        assert!(answer.into_page().0.remove(0).read().is_err());
    }
}
