//! What security groups let pass. They are stateful: whoever may ask gets the answer.

use std::collections::BTreeMap;

use fargate_aws::{GroupPeer, GroupRule, SecurityGroup, TrafficProtocol};
use ipnet::{IpNet, Ipv4Net};

use super::acl_verdict::v4;
use super::address_range::AddressSpan;
use crate::reading::AwsReading;

/// The prefixes of prefix lists, as far as they were read.
pub type PrefixLists = BTreeMap<String, AwsReading<Vec<IpNet>>>;

/// The other side of a connection.
#[derive(Clone, Copy, Debug)]
pub struct TrafficPeer<'a> {
    /// Its addresses, all of which must pass.
    pub addresses: AddressSpan,
    /// Its security groups.
    pub groups: &'a [String],
}

/// What one side asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrafficPort {
    /// TCP or UDP.
    pub protocol: TrafficProtocol,
    /// The destination's port.
    pub port: u16,
}

impl TrafficPort {
    /// A port of TCP.
    pub fn tcp(port: u16) -> Self {
        Self { protocol: TrafficProtocol::Tcp, port }
    }

    /// Whether a rule is for this port.
    pub fn is_of(self, rule: &GroupRule) -> bool {
        let protocol = rule.protocol == TrafficProtocol::All || rule.protocol == self.protocol;
        protocol && rule.ports.contains(self.port)
    }
}

/// Whether groups let something pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupVerdict {
    /// A rule does.
    Passes,
    /// No rule does, for this part of the other side.
    Refused(AddressSpan),
    /// Only this prefix list may, and its prefixes are not known.
    UnknownList(String),
}

/// Whether one of these rules lets all addresses of the other side pass at this port.
pub fn group_verdict<'a>(
    rules: impl IntoIterator<Item = &'a GroupRule>,
    port: TrafficPort,
    peer: TrafficPeer<'_>,
    lists: &PrefixLists,
) -> GroupVerdict {
    let mut prefixes: Vec<Ipv4Net> = Vec::new();
    let mut unknown = None;
    for other in rules.into_iter().filter(|rule| port.is_of(rule)).flat_map(|rule| &rule.peers) {
        match other {
            GroupPeer::Group(group) if peer.groups.contains(group) => return GroupVerdict::Passes,
            GroupPeer::Group(_) => {}
            GroupPeer::Cidr(prefix) => prefixes.extend(v4(*prefix)),
            GroupPeer::PrefixList(list) => match lists.get(list).and_then(AwsReading::known) {
                Some(known) => prefixes.extend(known.iter().copied().filter_map(v4)),
                None => unknown = Some(list.clone()),
            },
        }
    }
    let covered = |piece: &AddressSpan| prefixes.iter().any(|it| it.contains(&piece.first()));
    let left = peer.addresses.cut_at(&prefixes).into_iter().find(|piece| !covered(piece));
    match (left, unknown) {
        (None, _) => GroupVerdict::Passes,
        (Some(_), Some(list)) => GroupVerdict::UnknownList(list),
        (Some(left), None) => GroupVerdict::Refused(left),
    }
}

/// What these groups let out.
pub fn egress_rules<'a>(groups: &[&'a SecurityGroup]) -> impl Iterator<Item = &'a GroupRule> {
    groups.iter().flat_map(|group| &group.egress).collect::<Vec<_>>().into_iter()
}

/// What these groups let in.
pub fn ingress_rules<'a>(groups: &[&'a SecurityGroup]) -> impl Iterator<Item = &'a GroupRule> {
    groups.iter().flat_map(|group| &group.ingress).collect::<Vec<_>>().into_iter()
}

/// All prefixes of IPv4 that rules name, where what passes may change.
pub fn prefixes_of<'a>(
    rules: impl IntoIterator<Item = &'a GroupRule>,
    lists: &PrefixLists,
) -> Vec<Ipv4Net> {
    let mut prefixes = Vec::new();
    for peer in rules.into_iter().flat_map(|rule| &rule.peers) {
        match peer {
            GroupPeer::Cidr(prefix) => prefixes.extend(v4(*prefix)),
            GroupPeer::PrefixList(list) => {
                let known = lists.get(list).and_then(AwsReading::known);
                prefixes.extend(known.into_iter().flatten().copied().filter_map(v4));
            }
            GroupPeer::Group(_) => {}
        }
    }
    prefixes
}

#[cfg(test)]
mod tests {
    use super::*;
    use fargate_aws::PortRange;

    fn verdict(peers: Vec<GroupPeer>, lists: &PrefixLists) -> GroupVerdict {
        let rule = GroupRule {
            protocol: TrafficProtocol::Tcp,
            ports: PortRange { first: 400, last: 500 },
            peers,
        };
        let addresses = AddressSpan::from("10.0.0.0/24".parse::<Ipv4Net>().unwrap());
        let peer = TrafficPeer { addresses, groups: &["sg-1".to_owned()] };
        group_verdict([&rule], TrafficPort::tcp(443), peer, lists)
    }

    #[test]
    fn a_rule_lets_pass_by_group_by_address_and_by_list() {
        let none = PrefixLists::new();
        let cidr = |text: &str| GroupPeer::Cidr(text.parse().unwrap());
        assert_eq!(verdict(vec![GroupPeer::Group("sg-1".to_owned())], &none), GroupVerdict::Passes);
        let other = verdict(vec![GroupPeer::Group("sg-2".to_owned())], &none);
        assert!(matches!(other, GroupVerdict::Refused(_)));
        assert_eq!(
            verdict(vec![cidr("10.0.0.0/25"), cidr("10.0.0.128/25")], &none),
            GroupVerdict::Passes
        );
        let half = verdict(vec![cidr("10.0.0.0/25")], &none);
        assert!(
            matches!(half, GroupVerdict::Refused(left) if left.shown() == "10.0.0.128-10.0.0.255")
        );
        assert!(matches!(verdict(vec![cidr("::/0")], &none), GroupVerdict::Refused(_)));
        let list = || vec![GroupPeer::PrefixList("pl-1".to_owned())];
        assert_eq!(verdict(list(), &none), GroupVerdict::UnknownList("pl-1".to_owned()));
        let known = AwsReading::Known(vec!["10.0.0.0/16".parse().unwrap()]);
        let lists = PrefixLists::from([("pl-1".to_owned(), known)]);
        assert_eq!(verdict(list(), &lists), GroupVerdict::Passes);
    }

    #[test]
    fn a_rule_is_for_its_protocol_and_ports() {
        let rule = |protocol, ports| GroupRule { protocol, ports, peers: Vec::new() };
        let https = TrafficPort::tcp(443);
        assert!(https.is_of(&rule(TrafficProtocol::All, PortRange::ALL)));
        assert!(!https.is_of(&rule(TrafficProtocol::Udp, PortRange::ALL)));
        assert!(!https.is_of(&rule(TrafficProtocol::Tcp, PortRange::one(80))));
    }
}
