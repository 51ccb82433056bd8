//! `DescribeSecurityGroups` and `DescribeNetworkAcls` of EC2.

use super::described_resource::{DescribedResource, flag, not_found};
use crate::account::ACCOUNT;
use crate::network::{
    CloudNetwork, CloudNetworkAcl, CloudSecurityGroup, NetworkAclRule, PacketSource,
    SecurityGroupRule,
};
use crate::services::context::RequestContext;
use crate::wire::exception::ServiceException;
use crate::wire::xml::XmlElement;

/// The number of the rule that every ACL ends with: deny. Source: Amazon EC2 API Reference, `NetworkAclEntry`.
const LAST_RULE: u16 = 32767;

impl DescribedResource for CloudSecurityGroup {
    const IDS: &'static str = "GroupId";
    const SET: &'static str = "securityGroupInfo";
    const FILTERS: &'static [&'static str] = &["vpc-id", "group-id", "group-name"];

    fn all(network: &CloudNetwork) -> &[Self] {
        &network.security_groups
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn filter_values(&self, _: &str) -> Vec<(&'static str, String)> {
        vec![
            ("vpc-id", self.vpc.clone()),
            ("group-id", self.id.clone()),
            ("group-name", self.name.clone()),
        ]
    }

    fn item(&self, _: &RequestContext<'_>) -> XmlElement {
        let rules = |name: &str, rules: &[SecurityGroupRule]| {
            XmlElement::new(name).with_all(rules.iter().map(permission))
        };
        XmlElement::new("item")
            .with(XmlElement::text("ownerId", ACCOUNT))
            .with(XmlElement::text("groupId", &self.id))
            .with(XmlElement::text("groupName", &self.name))
            .with(XmlElement::text("groupDescription", &self.name))
            .with(XmlElement::text("vpcId", &self.vpc))
            .with(rules("ipPermissions", &self.ingress))
            .with(rules("ipPermissionsEgress", &self.egress))
    }

    fn unknown(id: &str) -> ServiceException {
        ServiceException::new(
            "InvalidGroup.NotFound",
            format!("The security group '{id}' does not exist"),
        )
    }
}

fn permission(rule: &SecurityGroupRule) -> XmlElement {
    let ports = rule.ports.into_iter().flat_map(|(first, last)| {
        [
            XmlElement::text("fromPort", first.to_string()),
            XmlElement::text("toPort", last.to_string()),
        ]
    });
    let (set, peer) = match &rule.peer {
        PacketSource::Cidr(block) if block.contains(':') => {
            ("ipv6Ranges", XmlElement::text("cidrIpv6", block))
        }
        PacketSource::Cidr(block) => ("ipRanges", XmlElement::text("cidrIp", block)),
        PacketSource::Group(id) => ("groups", XmlElement::text("groupId", id)),
        PacketSource::PrefixList(id) => ("prefixListIds", XmlElement::text("prefixListId", id)),
    };
    let owner = (set == "groups").then(|| XmlElement::text("userId", ACCOUNT));
    let sets = ["groups", "ipRanges", "ipv6Ranges", "prefixListIds"].map(|name| {
        let here = (name == set)
            .then(|| XmlElement::new("item").with_all(owner.clone()).with(peer.clone()));
        XmlElement::new(name).with_all(here)
    });
    XmlElement::new("item")
        .with(XmlElement::text("ipProtocol", &rule.protocol))
        .with_all(ports)
        .with_all(sets)
}

impl DescribedResource for CloudNetworkAcl {
    const IDS: &'static str = "NetworkAclId";
    const SET: &'static str = "networkAclSet";
    const FILTERS: &'static [&'static str] =
        &["vpc-id", "network-acl-id", "association.subnet-id", "default"];

    fn all(network: &CloudNetwork) -> &[Self] {
        &network.network_acls
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn filter_values(&self, _: &str) -> Vec<(&'static str, String)> {
        let mut values = vec![
            ("vpc-id", self.vpc.clone()),
            ("network-acl-id", self.id.clone()),
            ("default", self.is_default.to_string()),
        ];
        let subnets = self.subnets.iter();
        values.extend(subnets.map(|subnet| ("association.subnet-id", subnet.clone())));
        values
    }

    fn item(&self, _: &RequestContext<'_>) -> XmlElement {
        let last = [false, true].map(|is_egress| NetworkAclRule {
            allows: false,
            ..NetworkAclRule::allow_all(LAST_RULE, is_egress)
        });
        let entries = self.rules.iter().chain(&last).map(entry);
        let associations = self.subnets.iter().map(|subnet| {
            let end = subnet.trim_start_matches("subnet-");
            XmlElement::new("item")
                .with(XmlElement::text("networkAclAssociationId", format!("aclassoc-{end}")))
                .with(XmlElement::text("networkAclId", &self.id))
                .with(XmlElement::text("subnetId", subnet))
        });
        XmlElement::new("item")
            .with(XmlElement::text("networkAclId", &self.id))
            .with(XmlElement::text("vpcId", &self.vpc))
            .with(XmlElement::text("ownerId", ACCOUNT))
            .with(flag("default", self.is_default))
            .with(XmlElement::new("entrySet").with_all(entries))
            .with(XmlElement::new("associationSet").with_all(associations))
    }

    fn unknown(id: &str) -> ServiceException {
        not_found("InvalidNetworkAclID.NotFound", "networkAcl", id)
    }
}

fn entry(rule: &NetworkAclRule) -> XmlElement {
    let block = if rule.cidr.contains(':') { "ipv6CidrBlock" } else { "cidrBlock" };
    let ports = rule.ports.map(|(first, last)| {
        XmlElement::new("portRange")
            .with(XmlElement::text("from", first.to_string()))
            .with(XmlElement::text("to", last.to_string()))
    });
    XmlElement::new("item")
        .with(XmlElement::text("ruleNumber", rule.number.to_string()))
        .with(XmlElement::text("protocol", &rule.protocol))
        .with(XmlElement::text("ruleAction", if rule.allows { "allow" } else { "deny" }))
        .with(flag("egress", rule.is_egress))
        .with(XmlElement::text(block, &rule.cidr))
        .with_all(ports)
}
