//! The way of a task over IPv6 to port 443 of one address in the internet and back: routes, network ACLs and
//! security groups together, because one check speaks of all.
//!
//! Addresses of IPv6 are public, so that no NAT gateway is needed: an internet gateway lets tasks out, and so
//! does an egress-only internet gateway, which lets nothing in. Source: Amazon VPC User Guide, "Egress-only
//! internet gateways".

use std::net::{IpAddr, Ipv6Addr};

use fargate_aws::{
    AclEntry, GroupPeer, NetworkAcl, PortRange, RouteDestination, RouteTarget, SecurityGroup,
    TrafficProtocol, VpcSubnet,
};

use super::acl_verdict::{TASK_PORTS, first_denied};
use super::group_verdict::{PrefixLists, TrafficPort, egress_rules};
use super::internet_path::HTTPS_PORT;
use super::route_fault::{RouteFault, UnseenWay};
use super::route_map::{RouteMap, blackhole};
use crate::reading::AwsReading;

/// What is between a task and the internet of IPv6.
#[derive(Clone, Copy, Debug)]
pub struct Ipv6Path<'a> {
    /// Routes and gateways.
    pub routes: RouteMap<'a>,
    /// All network ACLs.
    pub acls: &'a [NetworkAcl],
    /// The security groups of the task.
    pub groups: &'a [&'a SecurityGroup],
}

/// What becomes of packets to one address.
#[derive(Clone, Debug, PartialEq)]
pub enum Ipv6Verdict {
    /// They reach it through this gateway, and the answers come back.
    Reaches(String),
    /// The address is one of the VPC, or of a service of AWS with an endpoint.
    NotInternet,
    /// They or the answers are lost.
    Lost(Ipv6Fault),
    /// That cannot be seen from here.
    Unseen(UnseenWay),
}

/// Why packets of IPv6 are lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ipv6Fault {
    /// By the routes.
    Route(RouteFault),
    /// No rule of the task's groups lets them out.
    Groups,
    /// A network ACL stops them, or the answers.
    Acl {
        /// The network ACL.
        acl: String,
        /// Whether it stops what leaves the subnet.
        is_egress: bool,
    },
}

/// Whether the groups of a task let it ask.
enum GroupPassage {
    Passes,
    Refused,
    /// Only this prefix list may, and its prefixes are not known.
    UnknownList(String),
}

/// Where the routes lead.
enum Ipv6Route {
    Out(String),
    NotInternet,
    Lost(RouteFault),
    Unseen(UnseenWay),
}

impl Ipv6Path<'_> {
    /// Whether a task in this subnet reaches port 443 of this address.
    pub fn verdict(&self, subnet: &VpcSubnet, destination: Ipv6Addr) -> Ipv6Verdict {
        let way = route(self.routes, subnet, destination);
        let gateway = match way {
            Ipv6Route::Lost(fault) => return Ipv6Verdict::Lost(Ipv6Fault::Route(fault)),
            Ipv6Route::NotInternet => return Ipv6Verdict::NotInternet,
            Ipv6Route::Out(gateway) => Ok(gateway),
            Ipv6Route::Unseen(unseen) => Err(unseen),
        };
        if let Some(fault) = acl_fault(self.acls, &subnet.id, destination.into()) {
            return Ipv6Verdict::Lost(fault);
        }
        match (groups_let_out(self.groups, destination.into(), self.routes.lists), gateway) {
            (GroupPassage::Refused, _) => Ipv6Verdict::Lost(Ipv6Fault::Groups),
            (_, Err(unseen)) => Ipv6Verdict::Unseen(unseen),
            (GroupPassage::UnknownList(list), _) => Ipv6Verdict::Unseen(UnseenWay::List(list)),
            (GroupPassage::Passes, Ok(gateway)) => Ipv6Verdict::Reaches(gateway),
        }
    }
}

fn route(routes: RouteMap<'_>, subnet: &VpcSubnet, destination: Ipv6Addr) -> Ipv6Route {
    let Some(table) = routes.table_of(subnet) else { return Ipv6Route::Lost(RouteFault::NoTable) };
    let route = match routes.route_in(table, destination.into()) {
        Err(list) => return Ipv6Route::Unseen(UnseenWay::List(list)),
        Ok(None) => return Ipv6Route::Lost(RouteFault::NoRoute { table: table.id.clone() }),
        Ok(Some(route)) => route,
    };
    if let Some(fault) = blackhole(table, route) {
        return Ipv6Route::Lost(fault);
    }
    match (&route.target, &route.destination) {
        (RouteTarget::Local, _) => Ipv6Route::NotInternet,
        (RouteTarget::Endpoint(_), RouteDestination::PrefixList(_)) => Ipv6Route::NotInternet,
        (RouteTarget::EgressOnly(id), _) => Ipv6Route::Out(id.clone()),
        (RouteTarget::Internet(id), _) => match routes.gateway_fault(id, &subnet.vpc) {
            Err(unseen) => Ipv6Route::Unseen(unseen),
            Ok(Some(fault)) => Ipv6Route::Lost(fault),
            Ok(None) => match routes.inspector_behind(id, subnet.ipv6_cidr) {
                Some(unseen) => Ipv6Route::Unseen(unseen),
                None => Ipv6Route::Out(id.clone()),
            },
        },
        // A NAT gateway translates IPv6 for the addresses of NAT64 alone, which are none of the internet.
        (RouteTarget::Nat(id) | RouteTarget::Endpoint(id) | RouteTarget::Elsewhere(id), _) => {
            Ipv6Route::Unseen(UnseenWay::Target(id.clone()))
        }
        (RouteTarget::Nothing, _) => {
            Ipv6Route::Lost(RouteFault::Blackhole { table: table.id.clone(), target: None })
        }
    }
}

/// What the ACL of the subnet stops: the packets, or their answers.
fn acl_fault(acls: &[NetworkAcl], subnet: &str, peer: IpAddr) -> Option<Ipv6Fault> {
    let acl = acls.iter().find(|acl| acl.subnets.iter().any(|it| it == subnet))?;
    let stops = |is_egress: bool, ports: PortRange| {
        let fits = |entry: &&AclEntry| {
            let is_tcp = matches!(entry.protocol, TrafficProtocol::All | TrafficProtocol::Tcp);
            entry.is_egress == is_egress && is_tcp && entry.cidr.contains(&peer)
        };
        first_denied(acl.entries.iter().filter(fits), ports).is_some()
    };
    let out = stops(true, PortRange::one(HTTPS_PORT));
    (out || stops(false, TASK_PORTS))
        .then(|| Ipv6Fault::Acl { acl: acl.id.clone(), is_egress: out })
}

fn groups_let_out(groups: &[&SecurityGroup], peer: IpAddr, lists: &PrefixLists) -> GroupPassage {
    let port = TrafficPort::tcp(HTTPS_PORT);
    let mut unknown = None;
    for other in egress_rules(groups).filter(|rule| port.is_of(rule)).flat_map(|rule| &rule.peers) {
        match other {
            GroupPeer::Cidr(prefix) if prefix.contains(&peer) => return GroupPassage::Passes,
            GroupPeer::PrefixList(list) => match lists.get(list).and_then(AwsReading::known) {
                Some(known) if known.iter().any(|it| it.contains(&peer)) => {
                    return GroupPassage::Passes;
                }
                Some(_) => {}
                None => unknown = Some(list.clone()),
            },
            GroupPeer::Cidr(_) | GroupPeer::Group(_) => {}
        }
    }
    unknown.map_or(GroupPassage::Refused, GroupPassage::UnknownList)
}
