//! Route tables, with the routes in our own words.
//!
//! Source: Amazon EC2 API Reference, `DescribeRouteTables`, `RouteTable` and `Route`.

use ipnet::IpNet;
use serde::Deserialize;

use super::ec2_pages::{Ec2Filter, Ec2Items, Ec2ListAnswer, value_of};
use crate::account::AwsAccount;
use crate::call::CallError;

const RIGHT: &str = "ec2:DescribeRouteTables";

/// A route table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VpcRouteTable {
    /// The id.
    pub id: String,
    /// The VPC.
    pub vpc: String,
    /// Whether it is for all subnets of the VPC that name none.
    pub is_main: bool,
    /// The subnets that name it.
    pub subnets: Vec<String>,
    /// The gateways that name it: what comes in through one of them follows these routes.
    pub gateways: Vec<String>,
    /// The routes.
    pub routes: Vec<VpcRoute>,
}

/// A route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VpcRoute {
    /// For which addresses it is.
    pub destination: RouteDestination,
    /// Where it leads.
    pub target: RouteTarget,
    /// Whether its target is there. EC2 calls the others `blackhole`.
    pub is_active: bool,
}

/// For which addresses a route is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteDestination {
    /// A prefix.
    Cidr(IpNet),
    /// A prefix list, by its id.
    PrefixList(String),
}

/// Where a route leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteTarget {
    /// To the VPC itself.
    Local,
    /// To a NAT gateway.
    Nat(String),
    /// To an internet gateway.
    Internet(String),
    /// To a gateway that lets IPv6 out and nothing in.
    EgressOnly(String),
    /// To a gateway endpoint, or to a Gateway Load Balancer's.
    Endpoint(String),
    /// To something whose onward way cannot be seen from here: a transit gateway, a network interface, an
    /// instance, a VPN, a peering connection and others. The id.
    Elsewhere(String),
    /// Nowhere: the target was deleted.
    Nothing,
}

impl AwsAccount {
    /// All route tables of these VPCs.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if EC2 refuses the call, or if no usable answer comes.
    pub async fn route_tables(&self, vpcs: &[String]) -> Result<Vec<VpcRouteTable>, CallError> {
        let filter = Ec2Filter { name: "vpc-id", values: vpcs };
        let found = self.ec2_list::<RouteTablesAnswer>(RIGHT, filter).await?;
        self.ec2_read(RIGHT, found, RouteTableEntry::read)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RouteTablesAnswer {
    #[serde(default)]
    route_table_set: Ec2Items<RouteTableEntry>,
    next_token: Option<String>,
}

impl Ec2ListAnswer for RouteTablesAnswer {
    type Entry = RouteTableEntry;
    fn into_page(self) -> (Vec<Self::Entry>, Option<String>) {
        (self.route_table_set.items, self.next_token)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RouteTableEntry {
    route_table_id: String,
    vpc_id: String,
    #[serde(default)]
    route_set: Ec2Items<RouteEntry>,
    #[serde(default)]
    association_set: Ec2Items<RouteTableAssociation>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RouteTableAssociation {
    #[serde(default)]
    main: bool,
    subnet_id: Option<String>,
    gateway_id: Option<String>,
    association_state: Option<RouteAssociationState>,
}

#[derive(Deserialize)]
struct RouteAssociationState {
    #[serde(default)]
    state: String,
}

impl RouteTableAssociation {
    /// EC2 shows an association that ended for a while.
    fn holds(&self) -> bool {
        let state = self.association_state.as_ref().map_or("", |state| state.state.as_str());
        !["disassociating", "disassociated", "failed"].contains(&state)
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RouteEntry {
    destination_cidr_block: Option<String>,
    destination_ipv6_cidr_block: Option<String>,
    destination_prefix_list_id: Option<String>,
    gateway_id: Option<String>,
    nat_gateway_id: Option<String>,
    egress_only_internet_gateway_id: Option<String>,
    transit_gateway_id: Option<String>,
    vpc_peering_connection_id: Option<String>,
    network_interface_id: Option<String>,
    instance_id: Option<String>,
    local_gateway_id: Option<String>,
    carrier_gateway_id: Option<String>,
    core_network_arn: Option<String>,
    odb_network_arn: Option<String>,
    state: Option<String>,
}

impl RouteTableEntry {
    fn read(self) -> Result<VpcRouteTable, String> {
        let holding = || self.association_set.items.iter().filter(|it| it.holds());
        let is_main = holding().any(|it| it.main);
        let subnets = holding().filter_map(|it| it.subnet_id.clone()).collect();
        let gateways = holding().filter_map(|it| it.gateway_id.clone()).collect();
        let routes = self.route_set.items.into_iter().filter_map(|route| route.read().transpose());
        Ok(VpcRouteTable {
            id: self.route_table_id,
            vpc: self.vpc_id,
            is_main,
            subnets,
            gateways,
            routes: routes.collect::<Result<_, _>>()?,
        })
    }
}

impl RouteEntry {
    /// `None` for a kind of destination that is not known here.
    fn read(self) -> Result<Option<VpcRoute>, String> {
        let cidr =
            self.destination_cidr_block.as_ref().or(self.destination_ipv6_cidr_block.as_ref());
        let destination = match (cidr, &self.destination_prefix_list_id) {
            (Some(cidr), _) => {
                RouteDestination::Cidr(value_of("the destination of a route", cidr)?)
            }
            (None, Some(list)) => RouteDestination::PrefixList(list.clone()),
            (None, None) => return Ok(None),
        };
        let is_active = self.state.as_deref().is_none_or(|state| state == "active");
        Ok(Some(VpcRoute { destination, target: self.target(), is_active }))
    }

    fn target(self) -> RouteTarget {
        if let Some(nat) = self.nat_gateway_id {
            return RouteTarget::Nat(nat);
        }
        if let Some(gateway) = self.gateway_id {
            return match gateway.as_str() {
                "local" => RouteTarget::Local,
                id if id.starts_with("igw-") => RouteTarget::Internet(gateway),
                id if id.starts_with("vpce-") => RouteTarget::Endpoint(gateway),
                _ => RouteTarget::Elsewhere(gateway),
            };
        }
        if let Some(gateway) = self.egress_only_internet_gateway_id {
            return RouteTarget::EgressOnly(gateway);
        }
        let others = [
            self.transit_gateway_id,
            self.vpc_peering_connection_id,
            self.instance_id,
            self.network_interface_id,
            self.local_gateway_id,
            self.carrier_gateway_id,
            self.core_network_arn,
            self.odb_network_arn,
        ];
        others.into_iter().flatten().next().map_or(RouteTarget::Nothing, RouteTarget::Elsewhere)
    }
}

#[cfg(test)]
mod tests {
    use super::super::ec2_pages::parsed;
    use super::*;

    #[test]
    fn routes_are_read_with_where_they_lead() {
        let route = |destination: &str, target: &str, state: &str| {
            format!(
                "<item>{destination}{target}<state>{state}</state><origin>CreateRoute</origin></item>"
            )
        };
        let cidr = |text: &str| format!("<destinationCidrBlock>{text}</destinationCidrBlock>");
        let body = format!(
            "<R><routeTableSet><item><routeTableId>rtb-1</routeTableId><vpcId>vpc-1</vpcId><routeSet>{}{}{}{}{}\
             </routeSet><associationSet><item><main>true</main></item><item><main>false</main>\
             <subnetId>subnet-1</subnetId><associationState><state>associated</state></associationState></item>\
             <item><main>false</main><subnetId>subnet-2</subnetId><associationState><state>disassociated</state>\
             </associationState></item>\
             <item><main>false</main><gatewayId>igw-1</gatewayId></item></associationSet></item></routeTableSet></R>",
            route(&cidr("10.0.0.0/16"), "<gatewayId>local</gatewayId>", "active"),
            route(&cidr("0.0.0.0/0"), "<natGatewayId>nat-1</natGatewayId>", "blackhole"),
            route(
                "<destinationPrefixListId>pl-1</destinationPrefixListId>",
                "<gatewayId>vpce-1</gatewayId>",
                "active"
            ),
            route(
                "<destinationIpv6CidrBlock>::/0</destinationIpv6CidrBlock>",
                "<egressOnlyInternetGatewayId>eigw-1</egressOnlyInternetGatewayId>",
                "active"
            ),
            route(&cidr("10.9.0.0/16"), "", "blackhole"),
        );
        let answer: RouteTablesAnswer = parsed(&body).unwrap();
        let table = answer.into_page().0.remove(0).read().unwrap();
        assert!(table.is_main);
        assert_eq!(
            (table.subnets, table.gateways),
            (vec!["subnet-1".to_owned()], vec!["igw-1".to_owned()])
        );
        let targets: Vec<_> =
            table.routes.iter().map(|it| (it.target.clone(), it.is_active)).collect();
        assert_eq!(
            targets,
            [
                (RouteTarget::Local, true),
                (RouteTarget::Nat("nat-1".to_owned()), false),
                (RouteTarget::Endpoint("vpce-1".to_owned()), true),
                (RouteTarget::EgressOnly("eigw-1".to_owned()), true),
                (RouteTarget::Nothing, false),
            ]
        );
        assert_eq!(table.routes[2].destination, RouteDestination::PrefixList("pl-1".to_owned()));
    }
}
