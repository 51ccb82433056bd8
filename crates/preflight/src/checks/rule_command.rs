//! The command that removes one source from a security group.
//!
//! EC2 removes a rule only if protocol, ports and source are those of the rule: a rule for all traffic stays
//! if it is asked to remove port 22. Source: Amazon EC2 API Reference, `RevokeSecurityGroupIngress`.

use fargate_aws::{GroupPeer, GroupRule, TrafficProtocol};
use ipnet::IpNet;

/// Removes this source from what the group lets in.
pub fn revoke_ingress(group: &str, rule: &GroupRule, source: &GroupPeer) -> String {
    let ports = rule.ports;
    let what = match rule.protocol {
        TrafficProtocol::All => "IpProtocol=-1".to_owned(),
        TrafficProtocol::Tcp => {
            format!("IpProtocol=tcp,FromPort={},ToPort={}", ports.first, ports.last)
        }
        TrafficProtocol::Udp => {
            format!("IpProtocol=udp,FromPort={},ToPort={}", ports.first, ports.last)
        }
        TrafficProtocol::Other(number) => format!("IpProtocol={number}"),
    };
    let from = match source {
        GroupPeer::Cidr(IpNet::V4(prefix)) => format!("IpRanges=[{{CidrIp={prefix}}}]"),
        GroupPeer::Cidr(IpNet::V6(prefix)) => format!("Ipv6Ranges=[{{CidrIpv6={prefix}}}]"),
        GroupPeer::Group(id) => format!("UserIdGroupPairs=[{{GroupId={id}}}]"),
        GroupPeer::PrefixList(id) => format!("PrefixListIds=[{{PrefixListId={id}}}]"),
    };
    format!(
        "aws ec2 revoke-security-group-ingress --group-id {group} --ip-permissions '{what},{from}'"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use fargate_aws::PortRange;

    #[test]
    fn a_rule_is_removed_as_it_is() {
        let permissions = |protocol, ports, source: GroupPeer| {
            let rule = GroupRule { protocol, ports, peers: vec![source.clone()] };
            let command = revoke_ingress("sg-1", &rule, &source);
            command.split('\'').nth(1).unwrap().to_owned()
        };
        let all = GroupPeer::Cidr("0.0.0.0/0".parse().unwrap());
        assert_eq!(
            permissions(TrafficProtocol::All, PortRange::ALL, all.clone()),
            "IpProtocol=-1,IpRanges=[{CidrIp=0.0.0.0/0}]"
        );
        assert_eq!(
            permissions(TrafficProtocol::Tcp, PortRange { first: 20, last: 30 }, all),
            "IpProtocol=tcp,FromPort=20,ToPort=30,IpRanges=[{CidrIp=0.0.0.0/0}]"
        );
        let list = GroupPeer::PrefixList("pl-1".to_owned());
        assert_eq!(
            permissions(TrafficProtocol::Tcp, PortRange::one(22), list),
            "IpProtocol=tcp,FromPort=22,ToPort=22,PrefixListIds=[{PrefixListId=pl-1}]"
        );
        let group = GroupPeer::Group("sg-2".to_owned());
        assert_eq!(
            permissions(TrafficProtocol::Tcp, PortRange::one(22), group),
            "IpProtocol=tcp,FromPort=22,ToPort=22,UserIdGroupPairs=[{GroupId=sg-2}]"
        );
    }
}
