//! The operations of the query services: which there are, and what each reads from its form.

use super::Scene;
use super::assume_role::assume_role;
use super::describe_network_interfaces::describe_network_interfaces;
use super::describe_subnets::describe_subnets;
use crate::wire::query::Members;
use crate::wire::refusal::Refusal;
use crate::wire::service::{Call, Service};
use crate::wire::xml::Element;

/// Does what the request asks; the elements inside its answer.
pub fn perform(call: &Call, members: &Members, scene: &Scene<'_>) -> Result<Vec<Element>, Refusal> {
    match (call.service, call.operation.as_str()) {
        (Service::Sts, "AssumeRole") => assume_role(members, scene),
        (Service::Ec2, "DescribeNetworkInterfaces") => describe_network_interfaces(members, scene),
        (Service::Ec2, "DescribeSubnets") => describe_subnets(members, scene),
        (_, operation) => Err(Refusal::new(
            "UnknownOperationException",
            format!("The action {operation} is not valid for this web service."),
        )),
    }
}
