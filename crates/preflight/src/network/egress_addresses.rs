//! The fixed addresses from which jobs leave: those of the NAT gateways that their subnets use.

use fargate_aws::{NatGateway, VpcSubnet};
use fargate_status_answers::EgressAddress;

use super::route_map::RouteMap;
use super::task_place::placed_tasks;
use super::way_out::subnet_way;
use crate::account_view::AccountView;
use crate::job_needs::JobNeeds;

/// The addresses, by zone. Empty if the network has none or was not read.
pub fn egress_addresses(needs: &JobNeeds, view: &AccountView) -> Vec<EgressAddress> {
    let placed = placed_tasks(needs, view);
    let view = &view.network;
    let (Some(tables), Ok(placed)) = (view.route_tables.known(), placed) else {
        return Vec::new();
    };
    let routes = RouteMap::of(view, tables);
    let mut found: Vec<EgressAddress> = Vec::new();
    for tasks in &placed {
        for subnet in &tasks.subnets {
            let way = subnet_way(routes, subnet, tasks.place.has_public_ip());
            for address in way.nats.iter().flat_map(|nat| addresses_of(nat, view.subnets.known())) {
                if !found.contains(&address) {
                    found.push(address);
                }
            }
        }
    }
    found.sort_by(|a, b| (&a.zone, &a.address).cmp(&(&b.zone, &b.address)));
    found
}

fn addresses_of(nat: &NatGateway, subnets: Option<&Vec<VpcSubnet>>) -> Vec<EgressAddress> {
    let mut subnets = subnets.into_iter().flatten();
    let zone = subnets.find(|subnet| nat.subnet.as_ref() == Some(&subnet.id));
    let zone = zone.map(|subnet| subnet.zone.clone()).unwrap_or_default();
    let all = nat.addresses.iter().map(|it| EgressAddress {
        address: it.address.to_string(),
        zone: it.zone.clone().unwrap_or_else(|| zone.clone()),
    });
    all.collect()
}
