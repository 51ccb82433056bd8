//! The way to the layers of images of ECR where tasks have no way out: a gateway endpoint leads to the public
//! addresses of S3, so security groups and network ACLs must let these pass.
//!
//! An interface endpoint of S3 has addresses of the VPC and is judged as other interfaces are. Source: Amazon
//! VPC User Guide, "Gateway endpoints for Amazon S3".

use fargate_aws::{
    EndpointKind, GroupPeer, NetworkAcl, PortRange, RouteDestination, RouteTarget, VpcEndpoint,
    VpcSubnet,
};
use ipnet::Ipv4Net;

use super::acl_verdict::{AclDenial, SubnetCrossing, TASK_PORTS, acl_denial, v4};
use super::address_range::AddressSpan;
use super::group_verdict::{GroupVerdict, TrafficPeer, TrafficPort, egress_rules, group_verdict};
use super::internet_path::HTTPS_PORT;
use super::needed_services::{NeededServices, S3_SERVICE, interface_of, is_endpoint_of};
use super::route_map::RouteMap;
use super::task_place::PlacedTasks;
use crate::check_finding::CheckFinding;
use crate::views::NetworkView;

/// The gateway endpoint by which a subnet reaches S3.
#[derive(Clone, Copy, Debug)]
pub struct LayerWay<'a> {
    /// The endpoint.
    pub endpoint: &'a VpcEndpoint,
    /// The prefix list of S3, as the route to the endpoint names it.
    pub list: Option<&'a str>,
    view: &'a NetworkView,
}

impl<'a> LayerWay<'a> {
    /// The way of tasks in this subnet. `None` if they need no layers of ECR, if an interface leads to S3, or if
    /// no gateway does, which another check tells.
    pub fn of(view: &'a NetworkView, needed: &NeededServices, subnet: &VpcSubnet) -> Option<Self> {
        if !needed.services.contains_key(S3_SERVICE) {
            return None;
        }
        let endpoints = view.endpoints.known()?;
        let table = RouteMap::of(view, view.route_tables.known()?).table_of(subnet)?;
        let interface = interface_of(endpoints, &subnet.vpc, S3_SERVICE);
        if interface.is_some_and(|it| it.has_private_dns && it.state == "available") {
            return None;
        }
        let endpoint = endpoints.iter().find(|it| {
            it.kind == EndpointKind::Gateway
                && it.state == "available"
                && is_endpoint_of(it, S3_SERVICE)
                && it.route_tables.contains(&table.id)
        })?;
        let list =
            table.routes.iter().find_map(|route| match (&route.destination, &route.target) {
                (RouteDestination::PrefixList(list), RouteTarget::Endpoint(id))
                    if *id == endpoint.id =>
                {
                    Some(list.as_str())
                }
                _ => None,
            });
        Some(Self { endpoint, list, view })
    }

    /// The addresses of S3.
    ///
    /// # Errors
    ///
    /// What a check says if they are not known.
    pub fn addresses(&self) -> Result<Vec<AddressSpan>, CheckFinding> {
        let subject = format!("the addresses of S3 behind {}", self.endpoint.id);
        let not_told = || CheckFinding::unknown(format!("{subject}: EC2 shows no prefix list"));
        let reading = self.list.and_then(|list| self.view.prefix_lists.get(list));
        let prefixes = reading.ok_or_else(not_told)?.or_unknown(&subject)?;
        Ok(prefixes.iter().copied().filter_map(v4).map(AddressSpan::from).collect())
    }

    /// Addresses of S3 that the groups of tasks let nobody out to; `None` if there are none.
    ///
    /// # Errors
    ///
    /// What a check says if it is not known.
    pub fn group_refusal(
        &self,
        tasks: &PlacedTasks<'_>,
    ) -> Result<Option<AddressSpan>, CheckFinding> {
        let port = TrafficPort::tcp(HTTPS_PORT);
        let mut rules = egress_rules(&tasks.groups).filter(|rule| port.is_of(rule));
        let is_list = |peer: &GroupPeer| match peer {
            GroupPeer::PrefixList(list) => Some(list.as_str()) == self.list,
            GroupPeer::Cidr(_) | GroupPeer::Group(_) => false,
        };
        if rules.any(|rule| rule.peers.iter().any(is_list)) {
            return Ok(None);
        }
        let verdict = |addresses: AddressSpan| {
            let peer = TrafficPeer { addresses, groups: &[] };
            let lists = &self.view.prefix_lists;
            group_verdict(egress_rules(&tasks.groups), port, peer, lists)
        };
        if verdict(everywhere()) == GroupVerdict::Passes {
            return Ok(None);
        }
        let mut unknown = None;
        for addresses in self.addresses()? {
            match verdict(addresses) {
                GroupVerdict::Passes => {}
                // Layers may come from any of these addresses.
                GroupVerdict::Refused(part) => return Ok(Some(part)),
                GroupVerdict::UnknownList(list) => unknown = Some(list),
            }
        }
        match unknown {
            None => Ok(None),
            Some(list) => Err(CheckFinding::unknown(format!(
                "a rule names the prefix list {list}, whose prefixes are not known"
            ))
            .fix("allow ec2:GetManagedPrefixListEntries to whoever runs the check")),
        }
    }

    /// The first network ACL that keeps what tasks of the subnet ask S3, or its answers, from crossing.
    ///
    /// # Errors
    ///
    /// What a check says if it is not known.
    pub fn acl_denial(
        &self,
        acls: &[NetworkAcl],
        subnet: &VpcSubnet,
    ) -> Result<Option<AclDenial>, CheckFinding> {
        let denial = |peer: AddressSpan| {
            let crossing = |is_egress, ports| {
                acl_denial(acls, SubnetCrossing { subnet: &subnet.id, is_egress, peer, ports })
            };
            crossing(true, PortRange::one(HTTPS_PORT)).or_else(|| crossing(false, TASK_PORTS))
        };
        if denial(everywhere()).is_none() {
            return Ok(None);
        }
        Ok(self.addresses()?.into_iter().find_map(denial))
    }
}

/// All addresses: rules that let them pass let S3 pass, whatever its addresses are.
fn everywhere() -> AddressSpan {
    Ipv4Net::default().into()
}
