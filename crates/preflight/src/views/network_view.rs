//! The VPC of the tasks: subnets, routes, gateways, rules, endpoints, DNS; and where this host is in it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use fargate_aws::{
    InternetGateway, NatGateway, NetworkAcl, SecurityGroup, VpcDns, VpcEndpoint, VpcInterface,
    VpcRouteTable, VpcShape, VpcSubnet,
};
use ipnet::IpNet;

use crate::reading::AwsReading;

/// The VPC of the tasks, or the VPCs, if profiles name subnets of several.
#[derive(Clone, Debug, Default)]
pub struct NetworkView {
    /// Those subnets of the configuration that exist.
    pub task_subnets: AwsReading<Vec<VpcSubnet>>,
    /// Those security groups of the configuration that exist.
    pub task_groups: AwsReading<Vec<SecurityGroup>>,
    /// All subnets of the VPCs.
    pub subnets: AwsReading<Vec<VpcSubnet>>,
    /// All security groups of the VPCs.
    pub groups: AwsReading<Vec<SecurityGroup>>,
    /// All route tables of the VPCs.
    pub route_tables: AwsReading<Vec<VpcRouteTable>>,
    /// All NAT gateways of the VPCs.
    pub nat_gateways: AwsReading<Vec<NatGateway>>,
    /// The internet gateways that are attached to the VPCs.
    pub internet_gateways: AwsReading<Vec<InternetGateway>>,
    /// All network ACLs of the VPCs.
    pub acls: AwsReading<Vec<NetworkAcl>>,
    /// All endpoints of the VPCs.
    pub endpoints: AwsReading<Vec<VpcEndpoint>>,
    /// The VPCs.
    pub vpcs: AwsReading<Vec<VpcShape>>,
    /// DNS of each VPC.
    pub dns: BTreeMap<String, VpcView>,
    /// The prefixes of each prefix list that a route or a rule names.
    pub prefix_lists: BTreeMap<String, AwsReading<Vec<IpNet>>>,
    /// Where this host is.
    pub manager: AwsReading<ManagerPlace>,
}

/// DNS of a VPC.
#[derive(Clone, Debug, Default)]
pub struct VpcView {
    /// The attributes.
    pub attributes: AwsReading<VpcDns>,
    /// The DNS servers that hosts are told; empty for a VPC without DHCP options.
    pub servers: AwsReading<Vec<String>>,
}

/// Where this host is, as it would connect to a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManagerPlace {
    /// Its address on the way to a task.
    pub address: IpAddr,
    /// The network interfaces of the account with this address: none if this host is elsewhere.
    pub interfaces: Vec<VpcInterface>,
}
