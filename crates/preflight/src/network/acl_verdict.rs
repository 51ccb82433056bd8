//! What a network ACL does with the packets of one direction of a connection.
//!
//! Network ACLs are stateless: the answers need rules of their own.

use fargate_aws::{AclEntry, NetworkAcl, PortRange, TrafficProtocol};
use ipnet::{IpNet, Ipv4Net};

use super::address_range::AddressSpan;

/// The ports from which a task connects.
///
/// Source: the kernel's documentation of `ip_local_port_range`, whose default Fargate keeps.
pub const TASK_PORTS: PortRange = PortRange { first: 32768, last: 60999 };
/// The ports from which a NAT gateway connects. Source: Amazon VPC User Guide, "NAT gateway basics".
pub const NAT_PORTS: PortRange = PortRange { first: 1024, last: 65535 };

/// Packets of TCP that cross the border of a subnet.
#[derive(Clone, Copy, Debug)]
pub struct SubnetCrossing<'a> {
    /// The subnet.
    pub subnet: &'a str,
    /// Whether they leave it.
    pub is_egress: bool,
    /// The other side.
    pub peer: AddressSpan,
    /// The destination's ports.
    pub ports: PortRange,
}

/// Why packets do not cross.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AclDenial {
    /// The network ACL.
    pub acl: String,
    /// The subnet.
    pub subnet: String,
    /// Whether the packets leave the subnet.
    pub is_egress: bool,
    /// The rule that denies them; `None` if no rule lets them pass.
    pub rule: Option<u32>,
    /// The other side, or a part of it.
    pub peer: AddressSpan,
    /// The ports that do not pass.
    pub ports: PortRange,
}

/// Why these packets do not all cross; `None` if they do. A subnet whose ACL is not among these is not
/// judged: every subnet has one.
pub fn acl_denial(acls: &[NetworkAcl], crossing: SubnetCrossing<'_>) -> Option<AclDenial> {
    let acl = acls.iter().find(|acl| acl.subnets.iter().any(|it| it == crossing.subnet))?;
    let fits = |entry: &&AclEntry| {
        let protocol = matches!(entry.protocol, TrafficProtocol::All | TrafficProtocol::Tcp);
        entry.is_egress == crossing.is_egress && protocol
    };
    let rules: Vec<(&AclEntry, Ipv4Net)> = acl
        .entries
        .iter()
        .filter(fits)
        .filter_map(|entry| Some((entry, v4(entry.cidr)?)))
        .collect();
    let pieces = crossing.peer.cut_at(rules.iter().map(|(_, cidr)| cidr));
    pieces.into_iter().find_map(|peer| {
        let here = rules.iter().filter(|(_, cidr)| cidr.contains(&peer.first()));
        let (rule, ports) = first_denied(here.map(|(entry, _)| *entry), crossing.ports)?;
        Some(AclDenial {
            acl: acl.id.clone(),
            subnet: crossing.subnet.to_owned(),
            is_egress: crossing.is_egress,
            rule,
            peer,
            ports,
        })
    })
}

/// The first of these rules that denies one of these ports, or the ports that no rule lets pass.
pub fn first_denied<'a>(
    rules: impl Iterator<Item = &'a AclEntry>,
    ports: PortRange,
) -> Option<(Option<u32>, PortRange)> {
    // The ports that no rule has decided yet.
    let mut open = vec![ports];
    for rule in rules {
        if !rule.is_allowed
            && let Some(denied) = open.iter().find_map(|ports| common(*ports, rule.ports))
        {
            return Some((Some(rule.number), denied));
        }
        open = open.into_iter().flat_map(|ports| without(ports, rule.ports)).collect();
    }
    open.first().map(|ports| (None, *ports))
}

fn common(one: PortRange, other: PortRange) -> Option<PortRange> {
    let (first, last) = (one.first.max(other.first), one.last.min(other.last));
    (first <= last).then_some(PortRange { first, last })
}

/// What is left of a range: what is below and what is above the other.
fn without(ports: PortRange, taken: PortRange) -> Vec<PortRange> {
    let Some(taken) = common(ports, taken) else { return vec![ports] };
    let below = taken.first.checked_sub(1).map(|last| PortRange { first: ports.first, last });
    let above = taken.last.checked_add(1).map(|first| PortRange { first, last: ports.last });
    [below, above].into_iter().flatten().filter(|it| it.first <= it.last).collect()
}

/// A prefix of IPv4.
pub fn v4(prefix: IpNet) -> Option<Ipv4Net> {
    match prefix {
        IpNet::V4(prefix) => Some(prefix),
        IpNet::V6(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(number: u32, is_allowed: bool, cidr: &str, first: u16, last: u16) -> AclEntry {
        let ports = PortRange { first, last };
        let cidr = cidr.parse().unwrap();
        AclEntry {
            number,
            is_egress: false,
            is_allowed,
            protocol: TrafficProtocol::Tcp,
            cidr,
            ports,
        }
    }

    fn denial(
        rules: Vec<AclEntry>,
        peer: &str,
        ports: PortRange,
    ) -> Option<(Option<u32>, PortRange)> {
        let acl = NetworkAcl {
            id: "acl-1".to_owned(),
            vpc: "vpc-1".to_owned(),
            subnets: vec!["subnet-1".to_owned()],
            entries: rules,
        };
        let peer = AddressSpan::from(peer.parse::<Ipv4Net>().unwrap());
        let crossing = SubnetCrossing { subnet: "subnet-1", is_egress: false, peer, ports };
        acl_denial(&[acl], crossing).map(|it| (it.rule, it.ports))
    }

    #[test]
    fn the_first_rule_that_fits_decides() {
        let all = "0.0.0.0/0";
        let allow = || rule(100, true, all, 1024, 65535);
        assert_eq!(denial(vec![allow()], "8.8.8.8/32", TASK_PORTS), None);
        assert_eq!(
            denial(vec![allow()], "8.8.8.8/32", PortRange::one(443)),
            Some((None, PortRange::one(443)))
        );
        let deny = rule(50, false, "8.0.0.0/8", 40000, 40000);
        assert_eq!(
            denial(vec![deny.clone(), allow()], "8.8.8.8/32", TASK_PORTS),
            Some((Some(50), PortRange::one(40000)))
        );
        assert_eq!(denial(vec![deny, allow()], "9.9.9.9/32", TASK_PORTS), None);
        let late = rule(200, false, all, 0, 65535);
        assert_eq!(denial(vec![allow(), late], "8.8.8.8/32", TASK_PORTS), None);
    }

    #[test]
    fn a_rule_for_a_part_of_the_ports_or_addresses_is_not_enough() {
        let low = rule(100, true, "0.0.0.0/0", 1024, 40000);
        assert_eq!(
            denial(vec![low.clone()], "8.8.8.8/32", TASK_PORTS),
            Some((None, PortRange { first: 40001, last: 60999 }))
        );
        let high = rule(110, true, "0.0.0.0/0", 40001, 65535);
        assert_eq!(denial(vec![low, high], "8.8.8.8/32", TASK_PORTS), None);
        let half = rule(100, true, "10.0.0.0/25", 0, 65535);
        assert!(denial(vec![half], "10.0.0.0/24", TASK_PORTS).is_some());
    }
}
