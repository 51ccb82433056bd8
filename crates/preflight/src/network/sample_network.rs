//! Two networks in order, for tests: one with NAT gateways, one with endpoints alone.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use fargate_aws::{
    AclEntry, EndpointKind, GroupPeer, GroupRule, InternetGateway, NatGateway, NatGatewayAddress,
    NetworkAcl, PortRange, RouteDestination, RouteTarget, SecurityGroup, TrafficProtocol, VpcDns,
    VpcEndpoint, VpcInterface, VpcRoute, VpcRouteTable, VpcShape, VpcSubnet,
};
use fargate_config::UnknownKeyPolicy;

use crate::account_view::AccountView;
use crate::job_needs::JobNeeds;
use crate::reading::AwsReading;
use crate::views::{ManagerPlace, MountTargetPlace, NetworkView, VpcView};

const VPC: &str = "vpc-1";

/// What jobs need: two subnets, a group, a file system, 30 jobs at one time.
pub fn needs(image: &str) -> JobNeeds {
    let text = format!(
        "config_version = 1\n[serve]\njob_slots = 30\n[defaults]\ncluster = \"ci\"\n\
         subnets = [\"subnet-0a1\", \"subnet-0b2\"]\nsecurity_groups = [\"sg-0a1\"]\nimage = \"{image}\"\n\
         execution_role = \"ci-execution\"\ntask_role = \"ci-task\"\nlog_group = \"/ci\"\n\
         registry_secret = \"ci/registry\"\nvolumes = [\"cache\"]\n[volume.cache]\n\
         file_system = \"fs-0a1b2c3d\"\npath = \"/cache\"\n"
    );
    let path = std::path::Path::new("config.toml");
    let loaded = fargate_config::parse(&text, path, UnknownKeyPolicy::Warn);
    JobNeeds::of(&loaded.expect("the file is right").config, None).unwrap().remove(0)
}

/// A network in which tasks leave through a NAT gateway in each zone.
pub fn with_nat_gateways() -> AccountView {
    let everywhere = || cidr("0.0.0.0/0");
    let task_subnets =
        vec![subnet("subnet-0a1", "10.0.1.0/24", 'a'), subnet("subnet-0b2", "10.0.2.0/24", 'b')];
    let mut subnets = task_subnets.clone();
    subnets.extend([
        subnet("subnet-0c3", "10.0.101.0/24", 'a'),
        subnet("subnet-0d4", "10.0.102.0/24", 'b'),
        subnet("subnet-0e5", "10.0.50.0/24", 'a'),
    ]);
    let task_group = group(
        "sg-0a1",
        vec![rule(TrafficProtocol::Tcp, PortRange::one(22), GroupPeer::Group("sg-0b2".to_owned()))],
        vec![rule(TrafficProtocol::All, PortRange::ALL, everywhere())],
    );
    let from_tasks = || GroupPeer::Group("sg-0a1".to_owned());
    let groups = vec![
        task_group.clone(),
        group("sg-0b2", Vec::new(), vec![rule(TrafficProtocol::All, PortRange::ALL, everywhere())]),
        group(
            "sg-0c3",
            vec![rule(TrafficProtocol::Tcp, PortRange::one(2049), from_tasks())],
            Vec::new(),
        ),
        group(
            "sg-0d4",
            vec![rule(TrafficProtocol::Tcp, PortRange::one(443), from_tasks())],
            Vec::new(),
        ),
    ];
    let ids: Vec<String> = subnets.iter().map(|subnet| subnet.id.clone()).collect();
    let network = NetworkView {
        task_subnets: AwsReading::Known(task_subnets),
        task_groups: AwsReading::Known(vec![task_group]),
        subnets: AwsReading::Known(subnets),
        groups: AwsReading::Known(groups),
        route_tables: AwsReading::Known(vec![
            table(
                "rtb-0a1",
                &["subnet-0a1", "subnet-0e5"],
                Some(RouteTarget::Nat("nat-0a1".to_owned())),
            ),
            table("rtb-0b2", &["subnet-0b2"], Some(RouteTarget::Nat("nat-0b2".to_owned()))),
            table(
                "rtb-0c3",
                &["subnet-0c3", "subnet-0d4"],
                Some(RouteTarget::Internet("igw-0a1".to_owned())),
            ),
        ]),
        nat_gateways: AwsReading::Known(vec![
            nat("nat-0a1", "subnet-0c3", 17),
            nat("nat-0b2", "subnet-0d4", 18),
        ]),
        internet_gateways: AwsReading::Known(vec![InternetGateway {
            id: "igw-0a1".to_owned(),
            attached_to: vec![VPC.to_owned()],
        }]),
        acls: AwsReading::Known(vec![open_acl("acl-0a1", ids)]),
        endpoints: AwsReading::Known(Vec::new()),
        vpcs: AwsReading::Known(vec![VpcShape {
            id: VPC.to_owned(),
            cidrs: vec!["10.0.0.0/16".parse().unwrap()],
            dhcp_options: "dopt-1".to_owned(),
        }]),
        dns: BTreeMap::from([(
            VPC.to_owned(),
            VpcView {
                attributes: AwsReading::Known(VpcDns { is_supported: true, has_hostnames: true }),
                servers: AwsReading::Known(vec!["AmazonProvidedDNS".to_owned()]),
            },
        )]),
        prefix_lists: BTreeMap::new(),
        manager: AwsReading::Known(ManagerPlace {
            address: Ipv4Addr::new(10, 0, 50, 7).into(),
            interfaces: vec![VpcInterface {
                id: "eni-0a1".to_owned(),
                vpc: VPC.to_owned(),
                subnet: "subnet-0e5".to_owned(),
                groups: vec!["sg-0b2".to_owned()],
            }],
        }),
    };
    let mut view = AccountView { network, ..AccountView::default() };
    view.storage.mount_targets = AwsReading::Known(mount_targets());
    view
}

/// The image of a network without a way out.
pub const ECR_IMAGE: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/ci:1";

/// A network in which tasks have no way out, and endpoints of all services that they call.
pub fn with_endpoints() -> AccountView {
    let mut view = with_nat_gateways();
    let network = &mut view.network;
    network.nat_gateways = AwsReading::Known(Vec::new());
    let mut s3 = endpoint("vpce-0a1", "s3");
    s3.kind = EndpointKind::Gateway;
    let s3_tables = vec!["rtb-0a1".to_owned(), "rtb-0b2".to_owned()];
    s3.route_tables = s3_tables.clone();
    let services = ["ecr.api", "ecr.dkr", "logs", "secretsmanager"];
    let mut endpoints: Vec<VpcEndpoint> =
        services.iter().map(|service| endpoint(&format!("vpce-{service}"), service)).collect();
    endpoints.push(s3);
    network.endpoints = AwsReading::Known(endpoints);
    let tables = network.route_tables.known().unwrap().clone();
    let without_nat = |mut table: VpcRouteTable| {
        table.routes.retain(|route| !matches!(route.target, RouteTarget::Nat(_)));
        if s3_tables.contains(&table.id) {
            table.routes.push(VpcRoute {
                destination: RouteDestination::PrefixList("pl-0a1".to_owned()),
                target: RouteTarget::Endpoint("vpce-0a1".to_owned()),
                is_active: true,
            });
        }
        table
    };
    network.route_tables = AwsReading::Known(tables.into_iter().map(without_nat).collect());
    let addresses_of_s3 = vec!["52.218.0.0/17".parse().unwrap()];
    network.prefix_lists =
        BTreeMap::from([("pl-0a1".to_owned(), AwsReading::Known(addresses_of_s3))]);
    view
}

fn mount_targets() -> Vec<MountTargetPlace> {
    let target = |subnet: &str, zone: char, last: u8| MountTargetPlace {
        file_system: "fs-0a1b2c3d".to_owned(),
        subnet: subnet.to_owned(),
        zone: format!("eu-west-1{zone}"),
        vpc: Some(VPC.to_owned()),
        address: Some(Ipv4Addr::new(10, 0, last, 9)),
        groups: vec!["sg-0c3".to_owned()],
    };
    vec![target("subnet-0c3", 'a', 101), target("subnet-0d4", 'b', 102)]
}

/// A prefix as the other side of a rule.
pub fn cidr(text: &str) -> GroupPeer {
    GroupPeer::Cidr(text.parse().unwrap())
}

/// A rule for one other side.
pub fn rule(protocol: TrafficProtocol, ports: PortRange, peer: GroupPeer) -> GroupRule {
    GroupRule { protocol, ports, peers: vec![peer] }
}

/// A rule of a network ACL, for everybody.
pub fn entry(number: u32, is_egress: bool, is_allowed: bool, ports: PortRange) -> AclEntry {
    let protocol =
        if ports == PortRange::ALL { TrafficProtocol::All } else { TrafficProtocol::Tcp };
    let cidr = "0.0.0.0/0".parse().unwrap();
    AclEntry { number, is_egress, is_allowed, protocol, cidr, ports }
}

/// An ACL that lets everything pass.
pub fn open_acl(id: &str, subnets: Vec<String>) -> NetworkAcl {
    let entries =
        vec![entry(100, true, true, PortRange::ALL), entry(100, false, true, PortRange::ALL)];
    NetworkAcl { id: id.to_owned(), vpc: VPC.to_owned(), subnets, entries }
}

fn subnet(id: &str, cidr: &str, zone: char) -> VpcSubnet {
    VpcSubnet {
        id: id.to_owned(),
        vpc: VPC.to_owned(),
        zone: format!("eu-west-1{zone}"),
        cidr: Some(cidr.parse().unwrap()),
        ipv6_cidr: None,
        free_addresses: 240,
        state: "available".to_owned(),
    }
}

fn group(id: &str, ingress: Vec<GroupRule>, egress: Vec<GroupRule>) -> SecurityGroup {
    SecurityGroup { id: id.to_owned(), vpc: VPC.to_owned(), ingress, egress }
}

fn table(id: &str, subnets: &[&str], way: Option<RouteTarget>) -> VpcRouteTable {
    let route = |prefix: &str, target| VpcRoute {
        destination: RouteDestination::Cidr(prefix.parse().unwrap()),
        target,
        is_active: true,
    };
    let mut routes = vec![route("10.0.0.0/16", RouteTarget::Local)];
    routes.extend(way.map(|target| route("0.0.0.0/0", target)));
    VpcRouteTable {
        id: id.to_owned(),
        vpc: VPC.to_owned(),
        is_main: false,
        subnets: subnets.iter().map(|it| (*it).to_owned()).collect(),
        gateways: Vec::new(),
        routes,
    }
}

fn nat(id: &str, subnet: &str, last: u8) -> NatGateway {
    NatGateway {
        id: id.to_owned(),
        vpc: VPC.to_owned(),
        subnet: Some(subnet.to_owned()),
        own_route_table: None,
        state: "available".to_owned(),
        is_public: true,
        addresses: vec![NatGatewayAddress {
            address: Ipv4Addr::new(203, 0, 113, last).into(),
            zone: None,
        }],
        failure: None,
    }
}

/// An interface endpoint in both zones.
pub fn endpoint(id: &str, service: &str) -> VpcEndpoint {
    VpcEndpoint {
        id: id.to_owned(),
        vpc: VPC.to_owned(),
        service: format!("com.amazonaws.eu-west-1.{service}"),
        kind: EndpointKind::Interface,
        state: "available".to_owned(),
        has_private_dns: true,
        route_tables: Vec::new(),
        subnets: vec!["subnet-0c3".to_owned(), "subnet-0d4".to_owned()],
        groups: vec!["sg-0d4".to_owned()],
        policy: None,
    }
}
