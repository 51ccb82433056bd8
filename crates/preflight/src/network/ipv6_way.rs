//! The way out of a subnet over IPv6, over all public addresses: what most of them meet.

use fargate_aws::{GroupPeer, VpcSubnet};
use ipnet::Ipv6Net;

use super::address_reasons::{AddressFate, AddressReasons};
use super::group_verdict::egress_rules;
use super::ipv6_path::{Ipv6Fault, Ipv6Path, Ipv6Verdict};
use super::ipv6_range::{ipv6_internet_cut_at, v6};
use super::route_fault::{RouteFault, UnseenWay};
use super::route_map::RouteMap;
use super::task_place::PlacedTasks;
use crate::check_finding::CheckFinding;
use crate::reading::AwsReading;
use crate::views::NetworkView;

/// The way out of a subnet over IPv6.
#[derive(Clone, Debug, PartialEq)]
pub enum Ipv6Way {
    /// At least half of the internet is reached, through these gateways.
    Out(Vec<String>),
    /// Most of it is not, for this reason.
    Lost(Ipv6Fault),
    /// Nobody knows.
    Unseen(UnseenWay),
}

/// Judges the way out over IPv6 of tasks in a subnet.
///
/// # Errors
///
/// What a check says if the network ACLs were not read.
pub fn ipv6_way(
    view: &NetworkView,
    routes: RouteMap<'_>,
    tasks: &PlacedTasks<'_>,
    subnet: &VpcSubnet,
) -> Result<Ipv6Way, CheckFinding> {
    let acls = view.acls.or_unknown("the network ACLs")?;
    Ok(whole_way(Ipv6Path { routes, acls, groups: &tasks.groups }, subnet))
}

/// What most public addresses meet.
pub fn whole_way(path: Ipv6Path<'_>, subnet: &VpcSubnet) -> Ipv6Way {
    let mut reasons = AddressReasons::default();
    let mut gateways: Vec<String> = Vec::new();
    for (first, size) in ipv6_internet_cut_at(&ipv6_cuts_for(path, subnet)) {
        let fate = match path.verdict(subnet, first) {
            Ipv6Verdict::NotInternet => continue,
            Ipv6Verdict::Lost(fault) => AddressFate::Lost(fault),
            Ipv6Verdict::Unseen(way) => AddressFate::Unseen(way),
            Ipv6Verdict::Reaches(gateway) => {
                if !gateways.contains(&gateway) {
                    gateways.push(gateway);
                }
                AddressFate::Reached
            }
        };
        reasons.add(size, fate);
    }
    match reasons.of_most() {
        AddressFate::Reached => Ipv6Way::Out(gateways),
        AddressFate::Lost(fault) => Ipv6Way::Lost(fault),
        AddressFate::Unseen(way) => Ipv6Way::Unseen(way),
    }
}

/// All prefixes at which the verdict over an address may change.
pub fn ipv6_cuts_for(path: Ipv6Path<'_>, subnet: &VpcSubnet) -> Vec<Ipv6Net> {
    let list = |id: &String| {
        let known = path.routes.lists.get(id).and_then(AwsReading::known);
        known.into_iter().flatten().copied().collect::<Vec<_>>()
    };
    let routes = path.routes.table_of(subnet).into_iter().flat_map(|table| &table.routes);
    let of_routes = routes.flat_map(|route| path.routes.prefixes_of(route));
    let peers = egress_rules(path.groups).flat_map(|rule| &rule.peers);
    let of_groups = peers.flat_map(|peer| match peer {
        GroupPeer::Cidr(prefix) => vec![*prefix],
        GroupPeer::PrefixList(id) => list(id),
        GroupPeer::Group(_) => Vec::new(),
    });
    let of_acls = path.acls.iter().flat_map(|acl| &acl.entries).map(|entry| entry.cidr);
    of_routes.chain(of_groups).chain(of_acls).filter_map(v6).collect()
}

impl Ipv6Fault {
    /// What was found.
    pub fn found(&self, groups: &[String]) -> String {
        match self {
            Self::Route(RouteFault::NoRoute { table }) => {
                format!("the route table {table} has no route to the internet of IPv6 (::/0)")
            }
            Self::Route(fault) => fault.found(),
            Self::Groups => {
                format!("no rule of {} lets out TCP 443 over IPv6", groups.join(", "))
            }
            Self::Acl { acl, is_egress: true } => {
                format!("the network ACL {acl} stops TCP 443 over IPv6")
            }
            Self::Acl { acl, is_egress: false } => {
                format!("the network ACL {acl} stops the answers over IPv6")
            }
        }
    }

    /// What to do, and a command to paste where there is one.
    pub fn fix(&self, groups: &[String]) -> (String, Option<String>) {
        match self {
            Self::Route(RouteFault::NoRoute { table }) => lead_out("create", table),
            Self::Route(RouteFault::Blackhole { table, .. }) => lead_out("replace", table),
            Self::Route(fault) => {
                let (fix, command) = fault.fix(None, None);
                (fix, Some(command))
            }
            Self::Groups => (
                "let the group out on port 443 over IPv6".to_owned(),
                Some(format!(
                    "aws ec2 authorize-security-group-egress --group-id {} --ip-permissions \
                     'IpProtocol=tcp,FromPort=443,ToPort=443,Ipv6Ranges=[{{CidrIpv6=::/0}}]'",
                    groups.first().map_or("GROUP_ID", String::as_str)
                )),
            ),
            Self::Acl { .. } => {
                ("add rules for IPv6 to the ACL: TCP 443 out, and the answers in".to_owned(), None)
            }
        }
    }
}

/// A route over an egress-only internet gateway. `verb` is what becomes of the route: "create", "replace".
fn lead_out(verb: &str, table: &str) -> (String, Option<String>) {
    (
        "lead ::/0 to an egress-only internet gateway".to_owned(),
        Some(format!(
            "aws ec2 {verb}-route --route-table-id {table} --destination-ipv6-cidr-block ::/0 \
             --egress-only-internet-gateway-id EIGW_ID"
        )),
    )
}
