//! The verdict "a task here reaches port 443", put together from what the three checks judge: for the packet
//! walk, which must say the same.

use std::net::Ipv4Addr;

use fargate_aws::{NetworkAcl, SecurityGroup, VpcSubnet};
use ipnet::Ipv4Net;

use super::acl_verdict::v4;
use super::group_verdict::{GroupVerdict, egress_rules, prefixes_of};
use super::internet_path::{internet_acl_denial, internet_group_verdict};
use super::route_map::{RouteMap, RouteVerdict};

/// Whether something arrives and its answer comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathVerdict {
    /// It does.
    Reaches,
    /// It does not.
    Lost,
    /// That cannot be seen from here.
    Unseen,
}

/// What is between a task and the internet.
#[derive(Clone, Copy, Debug)]
pub struct InternetPath<'a> {
    /// Routes and gateways.
    pub routes: RouteMap<'a>,
    /// All network ACLs.
    pub acls: &'a [NetworkAcl],
    /// The security groups of the task.
    pub groups: &'a [&'a SecurityGroup],
    /// Whether tasks get public addresses.
    pub has_public_ip: bool,
}

impl<'a> InternetPath<'a> {
    /// Whether a task in this subnet reaches port 443 of this address.
    pub fn verdict(&self, subnet: &VpcSubnet, destination: Ipv4Addr) -> PathVerdict {
        let way = self.routes.verdict(subnet, self.has_public_ip, destination);
        let lists = self.routes.lists;
        let denial =
            internet_acl_denial(self.acls, subnet, &way, destination, self.routes.subnets.known());
        let group = internet_group_verdict(self.groups, destination, lists);
        let is_lost = match &way {
            RouteVerdict::Lost(_) => true,
            RouteVerdict::ThroughNat(_)
            | RouteVerdict::Direct
            | RouteVerdict::Inside
            | RouteVerdict::ToService(_)
            | RouteVerdict::Unseen(_) => false,
        };
        let is_refused = matches!(group, GroupVerdict::Refused(_));
        let is_out = matches!(way, RouteVerdict::ThroughNat(_) | RouteVerdict::Direct);
        if is_lost || denial.is_some() || is_refused {
            PathVerdict::Lost
        } else if is_out && group == GroupVerdict::Passes {
            PathVerdict::Reaches
        } else {
            PathVerdict::Unseen
        }
    }
}

/// All prefixes at which the verdict over an address may change.
pub fn cuts_for(path: &InternetPath<'_>, subnet: &VpcSubnet) -> Vec<Ipv4Net> {
    let mut cuts = path.routes.prefixes_for(subnet);
    let entries = path.acls.iter().flat_map(|acl| &acl.entries);
    cuts.extend(entries.filter_map(|entry| v4(entry.cidr)));
    cuts.extend(prefixes_of(egress_rules(path.groups), path.routes.lists));
    cuts
}
