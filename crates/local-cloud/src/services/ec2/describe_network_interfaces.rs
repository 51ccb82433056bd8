//! `DescribeNetworkInterfaces` of EC2: the interfaces of tasks, by their ids.
//!
//! Source, for shape and errors: Amazon EC2 API Reference, version 2016-11-15.

use crate::fault::CloudFault;
use crate::services::context::RequestContext;
use crate::services::ecs::state::network_interface::InterfaceStatus;
use crate::services::ecs::state::task::CloudTask;
use crate::wire::exception::ServiceException;
use crate::wire::form::{FormFields, list};
use crate::wire::xml::XmlElement;

pub fn describe_network_interfaces(
    members: &FormFields,
    context: &RequestContext<'_>,
) -> Result<Vec<XmlElement>, ServiceException> {
    let ids = list(members, "NetworkInterfaceId");
    let mut state = context.cloud.ecs();
    let region = state.region(context.region, context.now);
    let attached = |task: &&CloudTask| task.interface.status == InterfaceStatus::Attached;
    let tasks: Vec<_> = region.tasks.values().filter(attached).collect();
    // Eventual consistency: the interface is shown, its public address not yet.
    let early = matches!(context.fault, Some(CloudFault::Failure { .. }));
    let mut found = Vec::new();
    if ids.is_empty() {
        found.extend(tasks.iter().map(|task| described(task, early)));
    }
    for id in &ids {
        let Some(task) = tasks.iter().find(|task| task.interface.interface_id == *id) else {
            return Err(ServiceException::new(
                "InvalidNetworkInterfaceID.NotFound",
                format!("The networkInterface ID '{id}' does not exist"),
            ));
        };
        found.push(described(task, early));
    }
    Ok(vec![XmlElement::new("networkInterfaceSet").with_all(found)])
}

fn described(task: &CloudTask, early: bool) -> XmlElement {
    let interface = &task.interface;
    let address = interface.visible_address();
    let mut item = XmlElement::new("item")
        .with(XmlElement::text("networkInterfaceId", &interface.interface_id))
        .with(XmlElement::text("subnetId", &task.place.subnet))
        .with(XmlElement::text("availabilityZone", format!("{}{}", task.region, task.place.zone)))
        .with(XmlElement::text("description", format!("attachment of {}", task.arn)))
        .with(XmlElement::text("status", "in-use"))
        .with(XmlElement::text("macAddress", &interface.mac_address));
    if let Some(address) = address {
        let name = if address.is_ipv4() { "privateIpAddress" } else { "ipv6Address" };
        item = item.with(XmlElement::text(name, address.to_string()));
    }
    if let Some(public) = interface.visible_public_address().filter(|_| !early) {
        let association = XmlElement::new("association")
            .with(XmlElement::text("publicIp", public.to_string()))
            .with(XmlElement::text("ipOwnerId", "amazon"));
        item = item.with(association);
    }
    item
}
