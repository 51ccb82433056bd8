//! The operations of the query services: which there are, and what each reads from its form.

use super::RequestContext;
use super::assume_role::assume_role;
use super::describe_network_interfaces::describe_network_interfaces;
use super::describe_subnets::describe_subnets;
use crate::wire::exception::ServiceException;
use crate::wire::query::FormFields;
use crate::wire::service::{CloudService, ServiceOperation};
use crate::wire::xml::XmlElement;

/// Does what the request asks; the elements inside its answer.
pub fn perform(
    call: &ServiceOperation,
    members: &FormFields,
    scene: &RequestContext<'_>,
) -> Result<Vec<XmlElement>, ServiceException> {
    match (call.service, call.operation.as_str()) {
        (CloudService::Sts, "AssumeRole") => assume_role(members, scene),
        (CloudService::Ec2, "DescribeNetworkInterfaces") => {
            describe_network_interfaces(members, scene)
        }
        (CloudService::Ec2, "DescribeSubnets") => describe_subnets(members, scene),
        (_, operation) => Err(ServiceException::new(
            "UnknownOperationException",
            format!("The action {operation} is not valid for this web service."),
        )),
    }
}
