//! Where a packet of a task goes: the routes of its subnet, and of that of the NAT gateway.
//!
//! What lies behind a transit gateway, a network interface, a VPN or a firewall cannot be seen from here:
//! such a way is [`RouteVerdict::Unseen`], neither good nor bad.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use fargate_aws::{
    InternetGateway, NatGateway, RouteDestination, RouteTarget, VpcRoute, VpcRouteTable, VpcSubnet,
};
use ipnet::{IpNet, Ipv4Net};

use super::acl_verdict::v4;
use super::group_verdict::PrefixLists;
use super::route_fault::{RouteFault, UnseenWay};
use crate::reading::AwsReading;
use crate::views::NetworkView;

/// The routes and gateways of VPCs.
#[derive(Clone, Copy, Debug)]
pub struct RouteMap<'a> {
    /// All route tables.
    pub tables: &'a [VpcRouteTable],
    /// The NAT gateways.
    pub nats: &'a AwsReading<Vec<NatGateway>>,
    /// The internet gateways that are attached.
    pub internet: &'a AwsReading<Vec<InternetGateway>>,
    /// All subnets: a NAT gateway stands in one.
    pub subnets: &'a AwsReading<Vec<VpcSubnet>>,
    /// Prefix lists.
    pub lists: &'a PrefixLists,
}

/// Where a packet to one address goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteVerdict<'a> {
    /// Through this NAT gateway to the internet.
    ThroughNat(&'a NatGateway),
    /// Through an internet gateway, from a public address of the task.
    Direct,
    /// Into the VPC itself.
    Inside,
    /// To a service of AWS, through a gateway endpoint.
    ToService(&'a str),
    /// Nowhere.
    Lost(RouteFault),
    /// To something that cannot be seen.
    Unseen(UnseenWay),
}

impl<'a> RouteMap<'a> {
    /// The routes of a view.
    pub fn of(view: &'a NetworkView, tables: &'a [VpcRouteTable]) -> Self {
        Self {
            tables,
            nats: &view.nat_gateways,
            internet: &view.internet_gateways,
            subnets: &view.subnets,
            lists: &view.prefix_lists,
        }
    }

    /// The route table of a subnet: the one that names it, else the main one of its VPC.
    pub fn table_of(&self, subnet: &VpcSubnet) -> Option<&'a VpcRouteTable> {
        let own = self.tables.iter().find(|table| table.subnets.contains(&subnet.id));
        own.or_else(|| self.tables.iter().find(|table| table.is_main && table.vpc == subnet.vpc))
    }

    /// Where a packet of a task in this subnet goes.
    pub fn verdict(
        &self,
        subnet: &VpcSubnet,
        has_public_ip: bool,
        destination: Ipv4Addr,
    ) -> RouteVerdict<'a> {
        let Some(table) = self.table_of(subnet) else {
            return RouteVerdict::Lost(RouteFault::NoTable);
        };
        let route = match self.route_in(table, destination.into()) {
            Err(list) => return RouteVerdict::Unseen(UnseenWay::List(list)),
            Ok(None) => {
                return RouteVerdict::Lost(RouteFault::NoRoute { table: table.id.clone() });
            }
            Ok(Some(route)) => route,
        };
        if let Some(fault) = blackhole(table, route) {
            return RouteVerdict::Lost(fault);
        }
        match &route.target {
            RouteTarget::Local => RouteVerdict::Inside,
            RouteTarget::Endpoint(id) => endpoint(route, id),
            // IPv4 has no such gateway.
            RouteTarget::EgressOnly(id) | RouteTarget::Elsewhere(id) => {
                RouteVerdict::Unseen(UnseenWay::Target(id.clone()))
            }
            RouteTarget::Nothing => {
                RouteVerdict::Lost(RouteFault::Blackhole { table: table.id.clone(), target: None })
            }
            RouteTarget::Nat(id) => self.through_nat(table, id, subnet, destination),
            RouteTarget::Internet(id) => match self.gateway_fault(id, &subnet.vpc) {
                Err(unseen) => RouteVerdict::Unseen(unseen),
                Ok(Some(fault)) => RouteVerdict::Lost(fault),
                Ok(None) if has_public_ip => match self.inspector_behind(id, subnet.cidr) {
                    Some(unseen) => RouteVerdict::Unseen(unseen),
                    None => RouteVerdict::Direct,
                },
                Ok(None) => RouteVerdict::Lost(RouteFault::WithoutPublicAddress {
                    table: table.id.clone(),
                    gateway: id.clone(),
                }),
            },
        }
    }

    fn through_nat(
        &self,
        table: &VpcRouteTable,
        id: &str,
        task: &VpcSubnet,
        destination: Ipv4Addr,
    ) -> RouteVerdict<'a> {
        let nats = match self.nats.or_unknown("the NAT gateways") {
            Ok(nats) => nats,
            Err(unknown) => return RouteVerdict::Unseen(UnseenWay::NotRead(unknown)),
        };
        let Some(nat) = nats.iter().find(|nat| nat.id == id) else {
            let table = table.id.clone();
            return RouteVerdict::Lost(RouteFault::NatMissing { table, nat: id.to_owned() });
        };
        if nat.state != "available" {
            return RouteVerdict::Lost(RouteFault::NatNotAvailable {
                nat: id.to_owned(),
                state: nat.state.clone(),
                failure: nat.failure.clone(),
            });
        }
        match self.behind_nat(nat, task, destination) {
            NatWayOut::Internet(_) if !nat.is_public => {
                RouteVerdict::Lost(RouteFault::NatPrivate { nat: id.to_owned() })
            }
            NatWayOut::Internet(None) => RouteVerdict::ThroughNat(nat),
            NatWayOut::Internet(Some(unseen)) => RouteVerdict::Unseen(unseen),
            NatWayOut::Lost(fault) => RouteVerdict::Lost(fault),
            NatWayOut::Unseen(unseen) => RouteVerdict::Unseen(unseen),
        }
    }

    /// Where a NAT gateway sends what it gets, and the answers.
    fn behind_nat(&self, nat: &NatGateway, task: &VpcSubnet, destination: Ipv4Addr) -> NatWayOut {
        let (subnet, table) = match self.place_of(nat) {
            Ok(place) => place,
            Err(unseen) => return NatWayOut::Unseen(unseen),
        };
        let fault = || {
            NatWayOut::Lost(RouteFault::NatWithoutInternet {
                nat: nat.id.clone(),
                subnet: nat.subnet.clone(),
                table: table.id.clone(),
            })
        };
        let gateway = match self.route_in(table, destination.into()) {
            Err(list) => return NatWayOut::Unseen(UnseenWay::List(list)),
            Ok(Some(route)) if route.is_active => match &route.target {
                RouteTarget::Internet(id) => id,
                RouteTarget::Elsewhere(id)
                | RouteTarget::Endpoint(id)
                | RouteTarget::EgressOnly(id) => {
                    return NatWayOut::Unseen(UnseenWay::Target(id.clone()));
                }
                RouteTarget::Local | RouteTarget::Nat(_) | RouteTarget::Nothing => return fault(),
            },
            Ok(_) => return fault(),
        };
        match self.gateway_fault(gateway, &nat.vpc) {
            Err(unseen) => NatWayOut::Unseen(unseen),
            Ok(Some(fault)) => NatWayOut::Lost(fault),
            Ok(None) => NatWayOut::Internet(self.inspector_on_return(gateway, subnet, table, task)),
        }
    }

    /// What the answers pass between an internet gateway and a task, if it is not the NAT gateway alone.
    fn inspector_on_return(
        &self,
        gateway: &str,
        nat_subnet: Option<&VpcSubnet>,
        nat_table: &VpcRouteTable,
        task: &VpcSubnet,
    ) -> Option<UnseenWay> {
        let to_task = task.cidr.and_then(|span| self.inspector_in(nat_table, span.into()));
        to_task.or_else(|| self.inspector_behind(gateway, nat_subnet?.cidr))
    }

    /// The subnet and the route table of a NAT gateway. One that serves all zones stands in no subnet.
    fn place_of(
        &self,
        nat: &NatGateway,
    ) -> Result<(Option<&'a VpcSubnet>, &'a VpcRouteTable), UnseenWay> {
        let (subnet, table) = match &nat.subnet {
            Some(id) => {
                let subnets = self.subnets.or_unknown("the subnet of the NAT gateway");
                let subnets = subnets.map_err(UnseenWay::NotRead)?;
                let subnet = subnets.iter().find(|subnet| subnet.id == *id);
                (subnet, subnet.and_then(|subnet| self.table_of(subnet)))
            }
            None => {
                let own = nat.own_route_table.as_ref();
                (None, self.tables.iter().find(|table| Some(&table.id) == own))
            }
        };
        let unseen = || UnseenWay::Target(nat.id.clone());
        table.map(|table| (subnet, table)).ok_or_else(unseen)
    }

    /// A firewall or another appliance to which the route table of an internet gateway leads what comes in for
    /// these addresses of a subnet.
    pub fn inspector_behind(
        &self,
        gateway: &str,
        span: Option<impl Into<IpNet>>,
    ) -> Option<UnseenWay> {
        let mut tables = self.tables.iter();
        let table = tables.find(|table| table.gateways.iter().any(|it| it == gateway))?;
        self.inspector_in(table, span?.into())
    }

    /// What a table leads packets for these addresses to, or for a part of them, if not straight into their
    /// subnet.
    fn inspector_in(&self, table: &VpcRouteTable, span: IpNet) -> Option<UnseenWay> {
        let prefixes: Vec<IpNet> =
            table.routes.iter().flat_map(|route| self.prefixes_of(route)).collect();
        first_addresses(span, &prefixes).into_iter().find_map(|address| {
            let route = match self.route_in(table, address) {
                Err(list) => return Some(UnseenWay::List(list)),
                Ok(route) => route?,
            };
            let target = match &route.target {
                RouteTarget::Local => return None,
                RouteTarget::Nothing => None,
                RouteTarget::Nat(id)
                | RouteTarget::Internet(id)
                | RouteTarget::EgressOnly(id)
                | RouteTarget::Endpoint(id)
                | RouteTarget::Elsewhere(id) => Some(id.clone()),
            };
            Some(UnseenWay::Answers { table: table.id.clone(), target })
        })
    }

    /// Whether an internet gateway is not attached to the VPC.
    pub fn gateway_fault(&self, id: &str, vpc: &str) -> Result<Option<RouteFault>, UnseenWay> {
        let known =
            self.internet.or_unknown("the internet gateways").map_err(UnseenWay::NotRead)?;
        let attached = |gateway: &&InternetGateway| {
            gateway.id == id && gateway.attached_to.iter().any(|it| it == vpc)
        };
        let fault = || RouteFault::GatewayDetached { gateway: id.to_owned(), vpc: vpc.to_owned() };
        Ok(known.iter().find(attached).is_none().then(fault))
    }

    /// The route with the longest prefix; of two the one that names the prefix itself. The error is a
    /// prefix list that may hold the address, and was not read.
    pub fn route_in<'t>(
        &self,
        table: &'t VpcRouteTable,
        destination: IpAddr,
    ) -> Result<Option<&'t VpcRoute>, String> {
        let mut best: Option<((u8, bool), &VpcRoute)> = None;
        for route in &table.routes {
            let length = match &route.destination {
                RouteDestination::Cidr(prefix) => {
                    prefix.contains(&destination).then(|| (prefix.prefix_len(), true))
                }
                RouteDestination::PrefixList(list) => {
                    match self.lists.get(list).and_then(AwsReading::known) {
                        Some(known) => longest(known, destination),
                        // A gateway endpoint's list holds addresses of one service, not the internet.
                        None if matches!(route.target, RouteTarget::Endpoint(_)) => None,
                        None => return Err(list.clone()),
                    }
                }
            };
            if let Some(length) = length
                && best.is_none_or(|(found, _)| length > found)
            {
                best = Some((length, route));
            }
        }
        Ok(best.map(|(_, route)| route))
    }

    /// All prefixes at which the way of a task of this subnet may change.
    pub fn prefixes_for(&self, subnet: &VpcSubnet) -> Vec<Ipv4Net> {
        let nats = self.nats.known().into_iter().flatten();
        let subnets = self.subnets.known().into_iter().flatten();
        let standing: Vec<&VpcSubnet> = subnets
            .filter(|it| nats.clone().any(|nat| nat.subnet.as_ref() == Some(&it.id)))
            .collect();
        let own = nats.clone().filter_map(|nat| nat.own_route_table.as_ref());
        let own = own.filter_map(|id| self.tables.iter().find(|table| table.id == *id));
        let tables = standing.into_iter().chain([subnet]).filter_map(|it| self.table_of(it));
        let routes = tables.chain(own).flat_map(|table| &table.routes);
        routes.flat_map(|route| self.prefixes_of(route)).filter_map(v4).collect()
    }

    /// The prefixes that a route is for, of both families, as far as they are known.
    pub fn prefixes_of(&self, route: &VpcRoute) -> Vec<IpNet> {
        match &route.destination {
            RouteDestination::Cidr(prefix) => vec![*prefix],
            RouteDestination::PrefixList(list) => {
                self.lists.get(list).and_then(AwsReading::known).cloned().unwrap_or_default()
            }
        }
    }
}

/// What lies behind a NAT gateway.
enum NatWayOut {
    /// The internet. What the answers pass on their way back, if that cannot be seen.
    Internet(Option<UnseenWay>),
    Lost(RouteFault),
    Unseen(UnseenWay),
}

/// The lowest addresses of the pieces into which prefixes cut a span: each speaks for its piece.
fn first_addresses(span: IpNet, prefixes: &[IpNet]) -> Vec<IpAddr> {
    let behind = |prefix: &IpNet| match prefix.broadcast() {
        IpAddr::V4(last) => Some(IpAddr::from(Ipv4Addr::from_bits(last.to_bits().checked_add(1)?))),
        IpAddr::V6(last) => Some(IpAddr::from(Ipv6Addr::from_bits(last.to_bits().checked_add(1)?))),
    };
    let bounds = prefixes.iter().flat_map(|prefix| [Some(prefix.network()), behind(prefix)]);
    let inside = bounds.flatten().filter(|address| span.contains(address));
    let mut first: Vec<IpAddr> = [span.network()].into_iter().chain(inside).collect();
    first.sort_unstable();
    first.dedup();
    first
}

fn longest(prefixes: &[IpNet], destination: IpAddr) -> Option<(u8, bool)> {
    let fitting = prefixes.iter().filter(|prefix| prefix.contains(&destination));
    fitting.map(|prefix| (prefix.prefix_len(), false)).max()
}

/// Whether the target of a route is gone.
pub fn blackhole(table: &VpcRouteTable, route: &VpcRoute) -> Option<RouteFault> {
    let target = match &route.target {
        RouteTarget::Nat(id)
        | RouteTarget::Internet(id)
        | RouteTarget::EgressOnly(id)
        | RouteTarget::Endpoint(id)
        | RouteTarget::Elsewhere(id) => Some(id.clone()),
        RouteTarget::Local | RouteTarget::Nothing => None,
    };
    (!route.is_active).then(|| RouteFault::Blackhole { table: table.id.clone(), target })
}

/// A prefix list leads to a service of AWS; a prefix leads to a firewall or another appliance.
fn endpoint<'a>(route: &VpcRoute, id: &'a str) -> RouteVerdict<'a> {
    match route.destination {
        RouteDestination::PrefixList(_) => RouteVerdict::ToService(id),
        RouteDestination::Cidr(_) => RouteVerdict::Unseen(UnseenWay::Target(id.to_owned())),
    }
}
