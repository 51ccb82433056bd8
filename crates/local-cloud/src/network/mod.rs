//! The networks that EC2 describes: VPCs with their subnets, routes, gateways, rules and endpoints.
//!
//! They are what a client reads. No packet is sent or stopped because of them, and every Region has the same
//! ones. A cloud starts with [`CloudNetwork::private_with_nat`]; its owner may describe another network, and
//! change it while the cloud runs.

mod furnished;
mod gateway;
mod packet_rules;
mod route_table;
mod subnet;
mod vpc;
mod vpc_endpoint;

pub use gateway::{CloudInternetGateway, CloudNatGateway};
pub use packet_rules::{
    CloudNetworkAcl, CloudSecurityGroup, NetworkAclRule, PacketSource, SecurityGroupRule,
};
pub use route_table::{CloudRoute, CloudRouteTable, CloudRouteTarget};
pub use subnet::CloudSubnet;
pub use vpc::CloudVpc;
pub use vpc_endpoint::{CloudEndpointKind, CloudVpcEndpoint};

/// All networks of a Region.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CloudNetwork {
    /// The VPCs.
    pub vpcs: Vec<CloudVpc>,
    /// The subnets. Tasks are placed in these.
    pub subnets: Vec<CloudSubnet>,
    /// The route tables.
    pub route_tables: Vec<CloudRouteTable>,
    /// The internet gateways.
    pub internet_gateways: Vec<CloudInternetGateway>,
    /// The NAT gateways.
    pub nat_gateways: Vec<CloudNatGateway>,
    /// The network ACLs.
    pub network_acls: Vec<CloudNetworkAcl>,
    /// The security groups. Tasks may have these.
    pub security_groups: Vec<CloudSecurityGroup>,
    /// The VPC endpoints.
    pub endpoints: Vec<CloudVpcEndpoint>,
}
