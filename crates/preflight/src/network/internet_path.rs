//! The way of a task to port 443 of an address in the internet and back: security groups, network ACLs and
//! routes, each judged by itself, because each has a check of its own.

use std::net::Ipv4Addr;

use fargate_aws::{NetworkAcl, PortRange, SecurityGroup, VpcSubnet};

use super::acl_verdict::{AclDenial, NAT_PORTS, SubnetCrossing, TASK_PORTS, acl_denial};
use super::address_range::AddressSpan;
use super::group_verdict::{
    GroupVerdict, PrefixLists, TrafficPeer, TrafficPort, egress_rules, group_verdict,
};
use super::route_map::RouteVerdict;

/// The port of registries, GitLab and AWS.
pub const HTTPS_PORT: u16 = 443;

/// Whether groups let a task ask port 443 of this address.
pub fn internet_group_verdict(
    groups: &[&SecurityGroup],
    destination: Ipv4Addr,
    lists: &PrefixLists,
) -> GroupVerdict {
    let peer = TrafficPeer { addresses: AddressSpan::one(destination), groups: &[] };
    group_verdict(egress_rules(groups), TrafficPort::tcp(HTTPS_PORT), peer, lists)
}

/// The first network ACL on this way that keeps a packet, or its answer, from crossing.
pub fn internet_acl_denial(
    acls: &[NetworkAcl],
    subnet: &VpcSubnet,
    way: &RouteVerdict<'_>,
    destination: Ipv4Addr,
    subnets: Option<&Vec<VpcSubnet>>,
) -> Option<AclDenial> {
    let there = AddressSpan::one(destination);
    let https = PortRange::one(HTTPS_PORT);
    let crossing = |subnet: &str, is_egress: bool, peer: AddressSpan, ports: PortRange| {
        acl_denial(acls, SubnetCrossing { subnet, is_egress, peer, ports })
    };
    let asks = || crossing(&subnet.id, true, there, https);
    let answered = || crossing(&subnet.id, false, there, TASK_PORTS);
    match way {
        RouteVerdict::Inside | RouteVerdict::Lost(_) => None,
        // Wherever an unseen way leads, the packets and their answers cross the border of this subnet.
        RouteVerdict::Direct | RouteVerdict::ToService(_) | RouteVerdict::Unseen(_) => {
            asks().or_else(answered)
        }
        RouteVerdict::ThroughNat(nat) => {
            let standing = subnets.into_iter().flatten();
            let standing = standing.filter(|it| nat.subnet.as_ref() == Some(&it.id));
            let own = standing.map(|it| it.id.as_str()).next();
            let through = || {
                let nat_subnet = own?;
                let task = AddressSpan::from(subnet.cidr?);
                crossing(nat_subnet, false, task, https)
                    .or_else(|| crossing(nat_subnet, true, there, https))
                    .or_else(|| crossing(nat_subnet, false, there, NAT_PORTS))
                    .or_else(|| crossing(nat_subnet, true, task, TASK_PORTS))
            };
            asks().or_else(through).or_else(answered)
        }
    }
}
