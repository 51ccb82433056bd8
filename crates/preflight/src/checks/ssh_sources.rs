//! Who else than the manager may connect to the SSH port of tasks.
//!
//! Fine are the manager's own group, its exact address, and a private range that holds it and is no larger
//! than its VPC. Where nobody knows where the manager is, only public ranges are told. What stands for the
//! internet fails elsewhere.

use std::net::{IpAddr, Ipv4Addr};

use fargate_aws::GroupPeer;
use fargate_config::PublicIp;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::rule_command::revoke_ingress;
use crate::check_finding::CheckFinding;
use crate::network::address_range::AddressSpan;
use crate::network::ipv6_range::is_unique_local;
use crate::network::manager_side::ManagerSide;
use crate::network::task_place::PlacedTasks;
use crate::reading::AwsReading;
use crate::views::NetworkView;

/// Addresses that no packet in the internet has. Source: RFC 1918; RFC 6598 for the last.
const PRIVATE: [(Ipv4Addr, u8); 4] = [
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
];
/// The shortest prefix of a VPC. Source: Amazon VPC User Guide, "VPC CIDR blocks".
const SHORTEST_VPC_V4: u8 = 16;
/// The same for IPv6.
const SHORTEST_VPC_V6: u8 = 44;

/// The manager, as far as a rule can be compared with it.
struct ComparedManager<'a> {
    groups: &'a [String],
    address: Option<Ipv4Addr>,
    /// Whether it is in the VPC of the tasks.
    is_inside: bool,
    /// The ranges of that VPC; `None` if they were not read.
    vpc: Option<&'a [Ipv4Net]>,
    /// The ranges of IPv6 of subnets of that VPC.
    vpc_v6: Vec<Ipv6Net>,
}

impl<'a> ComparedManager<'a> {
    fn of(tasks: &PlacedTasks<'_>, side: &'a ManagerSide<'_>, view: &'a NetworkView) -> Self {
        let vpc = tasks.vpc().unwrap_or_default();
        let mut shapes = view.vpcs.known().into_iter().flatten();
        let subnets = view.subnets.known().into_iter().flatten().filter(|it| it.vpc == vpc);
        let nobody_knows = Self {
            groups: &[],
            address: None,
            is_inside: false,
            vpc: shapes.find(|shape| shape.id == vpc).map(|shape| shape.cidrs.as_slice()),
            vpc_v6: subnets.filter_map(|subnet| subnet.ipv6_cidr).collect(),
        };
        match side {
            // Then it comes from a public address, which is not known.
            ManagerSide::Inside { .. } if tasks.place.public_ip == PublicIp::Dialled => {
                nobody_knows
            }
            ManagerSide::Inside { groups, address, .. } => {
                Self { groups, address: *address, is_inside: true, ..nobody_knows }
            }
            ManagerSide::Elsewhere { address: IpAddr::V4(address), is_given: true } => {
                Self { address: Some(*address), ..nobody_knows }
            }
            ManagerSide::Elsewhere { .. } | ManagerSide::NotKnown(_) => nobody_knows,
        }
    }

    /// Whether a source is more than the manager.
    fn is_exceeded_by(&self, source: &GroupPeer, view: &NetworkView) -> bool {
        match source {
            GroupPeer::Group(id) => !self.groups.is_empty() && !self.groups.contains(id),
            GroupPeer::Cidr(prefix) => self.is_exceeded_by_range(*prefix),
            GroupPeer::PrefixList(list) => {
                // That a list is not known is said by the check of the exposure.
                let prefixes = view.prefix_lists.get(list).and_then(AwsReading::known);
                prefixes.into_iter().flatten().any(|prefix| self.is_exceeded_by_range(*prefix))
            }
        }
    }

    fn is_exceeded_by_range(&self, prefix: IpNet) -> bool {
        match prefix {
            IpNet::V4(prefix) => self.is_exceeded_by_v4(prefix),
            IpNet::V6(prefix) => self.is_exceeded_by_v6(prefix),
        }
    }

    fn is_exceeded_by_v4(&self, prefix: Ipv4Net) -> bool {
        let is_one = prefix.prefix_len() == 32;
        let is_foreign = self.address.is_some_and(|address| !prefix.contains(&address));
        let is_beyond_vpc = !self.has_in_vpc(prefix);
        let is_public = !is_private(prefix) && (self.vpc.is_none() || is_beyond_vpc);
        is_foreign || (!is_one && (is_public || (self.is_inside && is_beyond_vpc)))
    }

    /// The manager's address of IPv6 is not known, so one address may be the manager's.
    fn is_exceeded_by_v6(&self, prefix: Ipv6Net) -> bool {
        let meets = |range: &Ipv6Net| range.contains(&prefix) || prefix.contains(range);
        let is_of_vpc = prefix.prefix_len() >= SHORTEST_VPC_V6 && self.vpc_v6.iter().any(meets);
        prefix.prefix_len() < 128 && !is_unique_local(prefix) && !is_of_vpc
    }

    /// Whether a range lies in those of the VPC. Where these are not known, one that a VPC may have counts.
    fn has_in_vpc(&self, prefix: Ipv4Net) -> bool {
        let Some(vpc) = self.vpc else { return prefix.prefix_len() >= SHORTEST_VPC_V4 };
        let pieces = AddressSpan::from(prefix).cut_at(vpc);
        pieces.iter().all(|piece| vpc.iter().any(|range| range.contains(&piece.first())))
    }

    fn instead(&self) -> String {
        match (self.groups.first(), self.address) {
            (Some(group), _) => format!("the manager's group {group}"),
            (None, Some(address)) => format!("the manager's address {address}/32"),
            (None, None) => "the manager's group or exact address".to_owned(),
        }
    }
}

fn is_private(prefix: Ipv4Net) -> bool {
    let holds = |(start, len): &(Ipv4Addr, u8)| {
        Ipv4Net::new(*start, *len).is_ok_and(|range| range.contains(&prefix))
    };
    PRIVATE.iter().any(holds)
}

/// A warning for each source of a rule for the SSH port alone that lets in more than the manager.
/// `is_judged` leaves sources out that another check tells.
pub fn ssh_source_findings(
    tasks: &PlacedTasks<'_>,
    side: &ManagerSide<'_>,
    view: &NetworkView,
    is_judged: impl Fn(&GroupPeer) -> bool,
) -> Vec<CheckFinding> {
    let port = tasks.place.port;
    let manager = ComparedManager::of(tasks, side, view);
    let mut findings = Vec::new();
    for group in &tasks.groups {
        for rule in
            group.ingress.iter().filter(|rule| super::inbound_rules::is_ssh_alone(rule, port))
        {
            let sources = rule.peers.iter().filter(|source| is_judged(source));
            for source in sources.filter(|source| manager.is_exceeded_by(source, view)) {
                let found = format!(
                    "{} lets {} in on port {port}{}, which is more than the manager",
                    group.id,
                    super::inbound_rules::peer_name(source),
                    tasks.suffix
                );
                let fix = format!("let in {} instead, then remove this rule", manager.instead());
                let command = revoke_ingress(&group.id, rule, source);
                findings.push(CheckFinding::warn(found).fix(fix).command(command));
            }
        }
    }
    findings
}
