//! `DescribeRouteTables` of EC2.

use super::described_resource::{DescribedResource, flag, not_found};
use crate::account::ACCOUNT;
use crate::network::{CloudNetwork, CloudRoute, CloudRouteTable, CloudRouteTarget};
use crate::services::context::RequestContext;
use crate::services::ec2::network::RegionNetwork;
use crate::wire::exception::ServiceException;
use crate::wire::xml::XmlElement;

impl DescribedResource for CloudRouteTable {
    const IDS: &'static str = "RouteTableId";
    const SET: &'static str = "routeTableSet";
    const FILTERS: &'static [&'static str] =
        &["vpc-id", "route-table-id", "association.subnet-id", "association.main"];

    fn all(network: &CloudNetwork) -> &[Self] {
        &network.route_tables
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn filter_values(&self, _: &str) -> Vec<(&'static str, String)> {
        let mut values = vec![
            ("vpc-id", self.vpc.clone()),
            ("route-table-id", self.id.clone()),
            ("association.main", self.is_main.to_string()),
        ];
        let subnets = self.subnets.iter();
        values.extend(subnets.map(|subnet| ("association.subnet-id", subnet.clone())));
        values
    }

    fn item(&self, context: &RequestContext<'_>) -> XmlElement {
        let network = context.cloud.states.of::<RegionNetwork>().described();
        let vpc = network.vpcs.iter().find(|vpc| vpc.id == self.vpc);
        let blocks = vpc
            .into_iter()
            .flat_map(|vpc| std::iter::once(vpc.cidr.clone()).chain(vpc.ipv6_cidr.clone()));
        let local = blocks.map(|block| {
            let route = CloudRoute::new(&block, CloudRouteTarget::Gateway("local".to_owned()));
            item_of_route(&route, "CreateRouteTable")
        });
        let routes = self.routes.iter().map(|route| item_of_route(route, "CreateRoute"));
        let main = self.is_main.then(|| self.association(None));
        let subnets = self.subnets.iter().map(|subnet| self.association(Some(subnet)));
        XmlElement::new("item")
            .with(XmlElement::text("routeTableId", &self.id))
            .with(XmlElement::text("vpcId", &self.vpc))
            .with(XmlElement::text("ownerId", ACCOUNT))
            .with(XmlElement::new("routeSet").with_all(local.chain(routes)))
            .with(XmlElement::new("associationSet").with_all(main.into_iter().chain(subnets)))
    }

    fn unknown(id: &str) -> ServiceException {
        not_found("InvalidRouteTableID.NotFound", "routeTable", id)
    }
}

impl CloudRouteTable {
    fn association(&self, subnet: Option<&String>) -> XmlElement {
        let end = subnet.unwrap_or(&self.id).rsplit('-').next().unwrap_or_default();
        let state =
            XmlElement::new("associationState").with(XmlElement::text("state", "associated"));
        XmlElement::new("item")
            .with(XmlElement::text("routeTableAssociationId", format!("rtbassoc-{end}")))
            .with(XmlElement::text("routeTableId", &self.id))
            .with_all(subnet.map(|subnet| XmlElement::text("subnetId", subnet)))
            .with(flag("main", subnet.is_none()))
            .with(state)
    }
}

fn item_of_route(route: &CloudRoute, origin: &str) -> XmlElement {
    let destination = &route.destination;
    let member = match destination {
        list if list.starts_with("pl-") => "destinationPrefixListId",
        block if block.contains(':') => "destinationIpv6CidrBlock",
        _ => "destinationCidrBlock",
    };
    let (kind, target) = match &route.target {
        CloudRouteTarget::Gateway(id) => ("gatewayId", id),
        CloudRouteTarget::NatGateway(id) => ("natGatewayId", id),
        CloudRouteTarget::EgressOnlyGateway(id) => ("egressOnlyInternetGatewayId", id),
        CloudRouteTarget::TransitGateway(id) => ("transitGatewayId", id),
        CloudRouteTarget::NetworkInterface(id) => ("networkInterfaceId", id),
    };
    let state = if route.is_blackhole { "blackhole" } else { "active" };
    XmlElement::new("item")
        .with(XmlElement::text(member, destination))
        .with(XmlElement::text(kind, target))
        .with(XmlElement::text("state", state))
        .with(XmlElement::text("origin", origin))
}
