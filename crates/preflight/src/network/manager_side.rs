//! The manager as tasks see it: who connects to their SSH port.

use std::net::{IpAddr, Ipv4Addr};

use fargate_aws::VpcSubnet;

use crate::check_finding::CheckFinding;
use crate::job_needs::{GivenManager, JobNeeds};
use crate::views::NetworkView;

/// Where the manager is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ManagerSide<'a> {
    /// In the VPC of the tasks.
    Inside {
        /// Its security groups.
        groups: Vec<String>,
        /// Its address, if it is known.
        address: Option<Ipv4Addr>,
        /// Its subnet, if it is known.
        subnet: Option<&'a VpcSubnet>,
    },
    /// In another network.
    Elsewhere {
        /// Its address.
        address: IpAddr,
        /// Whether whoever runs the check says so; otherwise this host may not be the manager.
        is_given: bool,
    },
    /// Nobody knows.
    NotKnown(CheckFinding),
}

/// What to do if nobody knows where the manager is.
pub const SAY_WHERE: &str = "run the check on the manager, or say where it is: `--manager-group sg-...` or `--manager-address ...`";

/// Where the manager is, seen from tasks in this VPC.
pub fn manager_side<'a>(needs: &JobNeeds, view: &'a NetworkView, vpc: &str) -> ManagerSide<'a> {
    let inside = |groups: Vec<String>, address: Option<IpAddr>, subnet: Option<&'a VpcSubnet>| {
        let address = address.and_then(v4);
        ManagerSide::Inside { groups, address, subnet }
    };
    let GivenManager { groups, address } = &needs.manager;
    if !groups.is_empty() || address.is_some() {
        let subnet = address.and_then(|address| subnet_of(view, vpc, address));
        return match (groups.is_empty() && subnet.is_none(), address) {
            (true, Some(address)) => ManagerSide::Elsewhere { address: *address, is_given: true },
            _ => inside(groups.clone(), *address, subnet),
        };
    }
    match view.manager.or_unknown("where this host is in the VPC") {
        Err(unknown) => ManagerSide::NotKnown(unknown),
        Ok(place) => match place.interfaces.iter().find(|it| it.vpc == vpc) {
            None => ManagerSide::Elsewhere { address: place.address, is_given: false },
            Some(interface) => {
                let mut subnets = view.subnets.known().into_iter().flatten();
                let subnet = subnets.find(|subnet| subnet.id == interface.subnet);
                inside(interface.groups.clone(), Some(place.address), subnet)
            }
        },
    }
}

fn subnet_of<'a>(view: &'a NetworkView, vpc: &str, address: IpAddr) -> Option<&'a VpcSubnet> {
    let address = v4(address)?;
    let mut subnets = view.subnets.known().into_iter().flatten().filter(|it| it.vpc == vpc);
    subnets.find(|subnet| subnet.cidr.is_some_and(|cidr| cidr.contains(&address)))
}

fn v4(address: IpAddr) -> Option<Ipv4Addr> {
    match address {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    }
}
