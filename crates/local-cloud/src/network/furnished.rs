//! The network that a cloud starts with: private subnets in two zones, whose tasks go out through one NAT
//! gateway with one fixed address.
//!
//! Nothing is wrong with it, so that a check of it finds nothing.

use std::net::Ipv4Addr;

use super::{
    CloudInternetGateway, CloudNatGateway, CloudNetwork, CloudNetworkAcl, CloudRoute,
    CloudRouteTable, CloudRouteTarget, CloudSecurityGroup, CloudSubnet, CloudVpc, NetworkAclRule,
    PacketSource, SecurityGroupRule,
};
use crate::backend::container::SubnetAddressFamily;
use crate::seed::{
    ELASTIC_IP, FILE_SYSTEM_GROUP, IPV6_SUBNET, MANAGER_GROUP, PUBLIC_SUBNET, SECURITY_GROUP,
    SUBNETS, VPC,
};

const INTERNET_GATEWAY: &str = "igw-0a2b3c4d5e6f70819";
const EGRESS_GATEWAY: &str = "eigw-0b3c4d5e6f708192a";
const NAT_GATEWAY: &str = "nat-0c4d5e6f708192a3b";
const PRIVATE_TABLE: &str = "rtb-0d5e6f708192a3b4c";
const PUBLIC_TABLE: &str = "rtb-0e6f708192a3b4c5d";
const MAIN_TABLE: &str = "rtb-0f708192a3b4c5d6e";
const NETWORK_ACL: &str = "acl-08192a3b4c5d6e7f0";
/// All addresses.
const EVERYWHERE: &str = "0.0.0.0/0";
/// The addresses of the VPC, and that of its resolver.
const VPC_CIDR: &str = "10.0.0.0/16";
const RESOLVER: &str = "10.0.0.2/32";

impl CloudNetwork {
    /// Private subnets with one way out: through a NAT gateway in a public subnet. Tasks let the manager's
    /// security group in on port 22; file systems let the tasks' group in on port 2049.
    #[must_use]
    pub fn private_with_nat() -> Self {
        let mut subnets: Vec<_> = SUBNETS
            .iter()
            .zip([('a', "10.0.1.0/24"), ('b', "10.0.2.0/24")])
            .map(|(subnet, (zone, cidr))| CloudSubnet::new(subnet, VPC, zone, cidr))
            .collect();
        subnets.push(CloudSubnet {
            family: SubnetAddressFamily::Six,
            ..CloudSubnet::new(IPV6_SUBNET, VPC, 'a', "2001:db8:1234:1a03::/64")
        });
        subnets.push(CloudSubnet {
            maps_public_addresses: true,
            ..CloudSubnet::new(PUBLIC_SUBNET, VPC, 'a', "10.0.0.0/24")
        });
        let ids = subnets.iter().map(|subnet| subnet.subnet.clone()).collect();
        Self {
            vpcs: vec![CloudVpc {
                ipv6_cidr: Some("2001:db8:1234:1a00::/56".to_owned()),
                ..CloudVpc::new(VPC, VPC_CIDR)
            }],
            subnets,
            route_tables: route_tables(),
            internet_gateways: vec![CloudInternetGateway {
                id: INTERNET_GATEWAY.to_owned(),
                vpc: Some(VPC.to_owned()),
            }],
            nat_gateways: vec![CloudNatGateway {
                id: NAT_GATEWAY.to_owned(),
                vpc: VPC.to_owned(),
                subnet: PUBLIC_SUBNET.to_owned(),
                state: "available".to_owned(),
                elastic_ip: Some(ELASTIC_IP),
                private_ip: Ipv4Addr::new(10, 0, 0, 9),
            }],
            network_acls: vec![CloudNetworkAcl {
                id: NETWORK_ACL.to_owned(),
                vpc: VPC.to_owned(),
                is_default: true,
                subnets: ids,
                rules: [false, true].map(|out| NetworkAclRule::allow_all(100, out)).into(),
            }],
            security_groups: security_groups(),
            endpoints: Vec::new(),
        }
    }
}

fn route_tables() -> Vec<CloudRouteTable> {
    let table = |id: &str, subnets: &[&str], routes| CloudRouteTable {
        id: id.to_owned(),
        vpc: VPC.to_owned(),
        is_main: id == MAIN_TABLE,
        subnets: subnets.iter().map(|subnet| (*subnet).to_owned()).collect(),
        routes,
    };
    let nat = CloudRouteTarget::NatGateway(NAT_GATEWAY.to_owned());
    let egress = CloudRouteTarget::EgressOnlyGateway(EGRESS_GATEWAY.to_owned());
    let internet = CloudRouteTarget::Gateway(INTERNET_GATEWAY.to_owned());
    vec![
        table(
            PRIVATE_TABLE,
            &[SUBNETS[0], SUBNETS[1], IPV6_SUBNET],
            vec![CloudRoute::new(EVERYWHERE, nat), CloudRoute::new("::/0", egress)],
        ),
        table(PUBLIC_TABLE, &[PUBLIC_SUBNET], vec![CloudRoute::new(EVERYWHERE, internet)]),
        table(MAIN_TABLE, &[], Vec::new()),
    ]
}

fn security_groups() -> Vec<CloudSecurityGroup> {
    let group = |id: &str, name: &str, ingress, egress| CloudSecurityGroup {
        id: id.to_owned(),
        name: name.to_owned(),
        vpc: VPC.to_owned(),
        ingress,
        egress,
    };
    let of_group = |id: &str| PacketSource::Group(id.to_owned());
    let cidr = |block: &str| PacketSource::Cidr(block.to_owned());
    let everything =
        SecurityGroupRule { protocol: "-1".to_owned(), ports: None, peer: cidr(EVERYWHERE) };
    vec![
        group(
            SECURITY_GROUP,
            "ci-tasks",
            vec![SecurityGroupRule::tcp(22, of_group(MANAGER_GROUP))],
            vec![
                SecurityGroupRule::tcp(443, cidr(EVERYWHERE)),
                SecurityGroupRule::tcp(2049, of_group(FILE_SYSTEM_GROUP)),
                SecurityGroupRule::udp(53, cidr(RESOLVER)),
                SecurityGroupRule::tcp(53, cidr(RESOLVER)),
            ],
        ),
        group(MANAGER_GROUP, "ci-manager", Vec::new(), vec![everything]),
        group(
            FILE_SYSTEM_GROUP,
            "ci-files",
            vec![SecurityGroupRule::tcp(2049, of_group(SECURITY_GROUP))],
            Vec::new(),
        ),
    ]
}
