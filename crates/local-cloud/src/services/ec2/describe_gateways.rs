//! `DescribeInternetGateways` and `DescribeNatGateways` of EC2.

use super::described_resource::{DescribedResource, flag, not_found};
use crate::account::ACCOUNT;
use crate::network::{CloudInternetGateway, CloudNatGateway, CloudNetwork};
use crate::services::context::RequestContext;
use crate::wire::exception::ServiceException;
use crate::wire::timestamp;
use crate::wire::xml::XmlElement;

impl DescribedResource for CloudInternetGateway {
    const IDS: &'static str = "InternetGatewayId";
    const SET: &'static str = "internetGatewaySet";
    const FILTERS: &'static [&'static str] = &["attachment.vpc-id", "internet-gateway-id"];

    fn all(network: &CloudNetwork) -> &[Self] {
        &network.internet_gateways
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn filter_values(&self, _: &str) -> Vec<(&'static str, String)> {
        let vpc = self.vpc.iter().map(|vpc| ("attachment.vpc-id", vpc.clone()));
        std::iter::once(("internet-gateway-id", self.id.clone())).chain(vpc).collect()
    }

    fn item(&self, _: &RequestContext<'_>) -> XmlElement {
        let attached = self.vpc.iter().map(|vpc| {
            XmlElement::new("item")
                .with(XmlElement::text("vpcId", vpc))
                .with(XmlElement::text("state", "available"))
        });
        XmlElement::new("item")
            .with(XmlElement::text("internetGatewayId", &self.id))
            .with(XmlElement::text("ownerId", ACCOUNT))
            .with(XmlElement::new("attachmentSet").with_all(attached))
    }

    fn unknown(id: &str) -> ServiceException {
        not_found("InvalidInternetGatewayID.NotFound", "internetGateway", id)
    }
}

impl DescribedResource for CloudNatGateway {
    const IDS: &'static str = "NatGatewayId";
    const SET: &'static str = "natGatewaySet";
    const FILTERS: &'static [&'static str] = &["vpc-id", "subnet-id", "state", "nat-gateway-id"];

    fn all(network: &CloudNetwork) -> &[Self] {
        &network.nat_gateways
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn filter_values(&self, _: &str) -> Vec<(&'static str, String)> {
        vec![
            ("vpc-id", self.vpc.clone()),
            ("subnet-id", self.subnet.clone()),
            ("state", self.state.clone()),
            ("nat-gateway-id", self.id.clone()),
        ]
    }

    fn item(&self, context: &RequestContext<'_>) -> XmlElement {
        let digits = self.id.trim_start_matches("nat-");
        let mut address = XmlElement::new("item")
            .with(XmlElement::text("networkInterfaceId", format!("eni-{digits}")))
            .with(XmlElement::text("privateIp", self.private_ip.to_string()))
            .with(flag("isPrimary", true))
            .with(XmlElement::text("status", "succeeded"));
        if let Some(public) = self.elastic_ip {
            address = address
                .with(XmlElement::text("allocationId", format!("eipalloc-{digits}")))
                .with(XmlElement::text("publicIp", public.to_string()));
        }
        let kind = if self.elastic_ip.is_some() { "public" } else { "private" };
        XmlElement::new("item")
            .with(XmlElement::text("natGatewayId", &self.id))
            .with(XmlElement::text("subnetId", &self.subnet))
            .with(XmlElement::text("vpcId", &self.vpc))
            .with(XmlElement::text("state", &self.state))
            .with(XmlElement::text("connectivityType", kind))
            .with(XmlElement::text("createTime", timestamp::iso_date(context.cloud.clock.began())))
            .with(XmlElement::new("natGatewayAddressSet").with(address))
    }

    fn unknown(id: &str) -> ServiceException {
        ServiceException::new("NatGatewayNotFound", format!("The Nat Gateway {id} was not found"))
    }
}
