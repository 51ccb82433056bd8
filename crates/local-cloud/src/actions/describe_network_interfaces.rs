//! `DescribeNetworkInterfaces` of EC2: the interfaces of tasks, by their ids.
//!
//! Source, for shape and errors: Amazon EC2 API Reference, version 2016-11-15.

use super::Scene;
use crate::fault::Fault;
use crate::state::task::{InterfaceStatus, Task};
use crate::wire::query::{Members, list};
use crate::wire::refusal::Refusal;
use crate::wire::xml::Element;

pub fn describe_network_interfaces(
    members: &Members,
    scene: &Scene<'_>,
) -> Result<Vec<Element>, Refusal> {
    let ids = list(members, "NetworkInterfaceId");
    let mut state = scene.cloud.state();
    let region = state.region(scene.region, scene.now);
    let attached = |task: &&Task| task.interface.status == InterfaceStatus::Attached;
    let tasks: Vec<_> = region.tasks.values().filter(attached).collect();
    // Eventual consistency: the interface is there, its public address is not yet.
    let early = matches!(scene.fault, Some(Fault::Failure { .. }));
    let mut found = Vec::new();
    if ids.is_empty() {
        found.extend(tasks.iter().map(|task| described(task, early)));
    }
    for id in &ids {
        let Some(task) = tasks.iter().find(|task| task.interface.interface_id == *id) else {
            return Err(Refusal::new(
                "InvalidNetworkInterfaceID.NotFound",
                format!("The networkInterface ID '{id}' does not exist"),
            ));
        };
        found.push(described(task, early));
    }
    Ok(vec![Element::new("networkInterfaceSet").with_all(found)])
}

fn described(task: &Task, early: bool) -> Element {
    let interface = &task.interface;
    let address = interface.visible_address();
    let mut item = Element::new("item")
        .with(Element::text("networkInterfaceId", &interface.interface_id))
        .with(Element::text("subnetId", &task.place.subnet))
        .with(Element::text("availabilityZone", format!("{}{}", task.region, task.place.zone)))
        .with(Element::text("description", format!("attachment of {}", task.arn)))
        .with(Element::text("status", "in-use"))
        .with(Element::text("macAddress", &interface.mac_address));
    if let Some(address) = address {
        let name = if address.is_ipv4() { "privateIpAddress" } else { "ipv6Address" };
        item = item.with(Element::text(name, address.to_string()));
    }
    if let Some(public) = interface.visible_public_address().filter(|_| !early) {
        let association = Element::new("association")
            .with(Element::text("publicIp", public.to_string()))
            .with(Element::text("ipOwnerId", "amazon"));
        item = item.with(association);
    }
    item
}
