//! `DescribeVpcEndpoints` of EC2.

use super::described_resource::{DescribedResource, flag};
use crate::account::ACCOUNT;
use crate::network::{CloudEndpointKind, CloudNetwork, CloudVpcEndpoint};
use crate::services::context::RequestContext;
use crate::wire::exception::ServiceException;
use crate::wire::xml::XmlElement;

impl CloudVpcEndpoint {
    fn service_name(&self, region: &str) -> String {
        format!("com.amazonaws.{region}.{}", self.service)
    }

    fn kind_name(&self) -> &'static str {
        match self.kind {
            CloudEndpointKind::Gateway { .. } => "Gateway",
            CloudEndpointKind::Interface { .. } => "Interface",
        }
    }
}

impl DescribedResource for CloudVpcEndpoint {
    const IDS: &'static str = "VpcEndpointId";
    const SET: &'static str = "vpcEndpointSet";
    const FILTERS: &'static [&'static str] =
        &["vpc-id", "service-name", "vpc-endpoint-id", "vpc-endpoint-state", "vpc-endpoint-type"];

    fn all(network: &CloudNetwork) -> &[Self] {
        &network.endpoints
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn filter_values(&self, region: &str) -> Vec<(&'static str, String)> {
        vec![
            ("vpc-id", self.vpc.clone()),
            ("service-name", self.service_name(region)),
            ("vpc-endpoint-id", self.id.clone()),
            ("vpc-endpoint-state", self.state.clone()),
            ("vpc-endpoint-type", self.kind_name().to_owned()),
        ]
    }

    fn item(&self, context: &RequestContext<'_>) -> XmlElement {
        let ids = |set: &str, ids: &[String]| {
            XmlElement::new(set).with_all(ids.iter().map(|id| XmlElement::text("item", id)))
        };
        let none: &[String] = &[];
        let (tables, subnets, groups, private_dns) = match &self.kind {
            CloudEndpointKind::Gateway { route_tables } => {
                (route_tables.as_slice(), none, none, false)
            }
            CloudEndpointKind::Interface { subnets, security_groups, private_dns } => {
                (none, subnets.as_slice(), security_groups.as_slice(), *private_dns)
            }
        };
        let groups = groups.iter().map(|id| {
            XmlElement::new("item")
                .with(XmlElement::text("groupId", id))
                .with(XmlElement::text("groupName", id))
        });
        XmlElement::new("item")
            .with(XmlElement::text("vpcEndpointId", &self.id))
            .with(XmlElement::text("vpcEndpointType", self.kind_name()))
            .with(XmlElement::text("vpcId", &self.vpc))
            .with(XmlElement::text("serviceName", self.service_name(context.region)))
            .with(XmlElement::text("state", &self.state))
            .with(XmlElement::text("ownerId", ACCOUNT))
            .with(ids("routeTableIdSet", tables))
            .with(ids("subnetIdSet", subnets))
            .with(XmlElement::new("groupSet").with_all(groups))
            .with(flag("privateDnsEnabled", private_dns))
    }

    fn unknown(id: &str) -> ServiceException {
        ServiceException::new(
            "InvalidVpcEndpointId.NotFound",
            format!("The Vpc Endpoint Id '{id}' does not exist"),
        )
    }
}
