//! Random networks: two subnets of a VPC, one for tasks and one for a NAT gateway, with what may stand between
//! a task and the internet. Each part is right more often than wrong, so that a packet gets far enough to meet
//! the later parts.

use std::net::Ipv4Addr;

use fargate_aws::{
    AclEntry, GroupPeer, GroupRule, InternetGateway, NatGateway, NatGatewayAddress, NetworkAcl,
    PortRange, RouteDestination, RouteTarget, SecurityGroup, TrafficProtocol, VpcRoute,
    VpcRouteTable, VpcSubnet,
};
use proptest::prelude::*;

use crate::reading::AwsReading;
use crate::views::NetworkView;

/// A network, and what a task in it asks.
#[derive(Clone, Debug)]
pub struct RandomNetwork {
    /// The VPC.
    pub view: NetworkView,
    /// The task's security groups.
    pub groups: Vec<SecurityGroup>,
    /// Whether the task has a public address.
    pub has_public_ip: bool,
    /// Whom it asks.
    pub destination: Ipv4Addr,
}

const DESTINATIONS: [Ipv4Addr; 4] = [
    Ipv4Addr::new(8, 8, 8, 8),
    Ipv4Addr::new(140, 82, 121, 3),
    Ipv4Addr::new(52, 95, 1, 1),
    Ipv4Addr::new(1, 1, 1, 1),
];

/// Prefixes of rules and routes: of everything, of destinations, of the VPC and its parts.
const PREFIXES: [&str; 14] = [
    "0.0.0.0/0",
    "0.0.0.0/1",
    "128.0.0.0/1",
    "8.0.0.0/8",
    "8.8.8.8/32",
    "140.82.0.0/16",
    "52.95.0.0/16",
    "1.1.1.0/24",
    "10.0.0.0/16",
    "10.0.1.0/24",
    "10.0.1.0/25",
    "10.0.1.77/32",
    "10.0.101.0/24",
    "::/0",
];

/// Prefixes of subnets, and of a part of one.
const INNER: [&str; 3] = ["10.0.1.0/24", "10.0.1.0/25", "10.0.101.0/24"];

/// Ports of rules.
pub const PORTS: [PortRange; 9] = [
    PortRange::ALL,
    PortRange { first: 443, last: 443 },
    PortRange { first: 80, last: 443 },
    PortRange { first: 0, last: 1023 },
    PortRange { first: 1024, last: 65535 },
    PortRange { first: 32768, last: 60999 },
    PortRange { first: 32768, last: 50000 },
    PortRange { first: 50001, last: 65535 },
    PortRange { first: 2049, last: 2049 },
];

pub fn network() -> impl Strategy<Value = RandomNetwork> {
    (
        (
            route_table("rtb-task", "subnet-task"),
            route_table("rtb-nat", "subnet-nat"),
            edge_table(),
        ),
        nat_gateway(),
        prop::sample::select(&[true, true, true, true, true, true, true, true, false][..]),
        (acl("acl-task", "subnet-task"), acl("acl-nat", "subnet-nat")),
        prop::collection::vec(security_group(), 1..3),
        any::<bool>(),
        prop::sample::select(&DESTINATIONS[..]),
    )
        .prop_map(|(tables, nat, attached, acls, groups, has_public_ip, destination)| {
            let attached_to = if attached { vec!["vpc-1".to_owned()] } else { Vec::new() };
            let lists =
                [("pl-1", vec!["8.8.8.0/24".parse().unwrap(), "52.95.0.0/16".parse().unwrap()])];
            let view = NetworkView {
                subnets: AwsReading::Known(vec![
                    subnet("subnet-task", "10.0.1.0/24"),
                    subnet("subnet-nat", "10.0.101.0/24"),
                ]),
                route_tables: AwsReading::Known(vec![tables.0, tables.1, tables.2]),
                nat_gateways: AwsReading::Known(nat.into_iter().collect()),
                internet_gateways: AwsReading::Known(vec![InternetGateway {
                    id: "igw-1".to_owned(),
                    attached_to,
                }]),
                acls: AwsReading::Known(vec![acls.0, acls.1]),
                prefix_lists: lists
                    .map(|(id, prefixes)| (id.to_owned(), AwsReading::Known(prefixes)))
                    .into(),
                ..NetworkView::default()
            };
            RandomNetwork { view, groups, has_public_ip, destination }
        })
}

fn subnet(id: &str, cidr: &str) -> VpcSubnet {
    VpcSubnet {
        id: id.to_owned(),
        vpc: "vpc-1".to_owned(),
        zone: "eu-west-1a".to_owned(),
        cidr: Some(cidr.parse().unwrap()),
        ipv6_cidr: None,
        free_addresses: 200,
        state: "available".to_owned(),
    }
}

fn target() -> impl Strategy<Value = RouteTarget> {
    prop_oneof![
        6 => Just(RouteTarget::Nat("nat-1".to_owned())),
        6 => Just(RouteTarget::Internet("igw-1".to_owned())),
        1 => Just(RouteTarget::Elsewhere("tgw-1".to_owned())),
        1 => Just(RouteTarget::Endpoint("vpce-1".to_owned())),
        1 => Just(RouteTarget::Nothing),
        1 => Just(RouteTarget::Nat("nat-9".to_owned())),
    ]
}

fn destination() -> impl Strategy<Value = RouteDestination> {
    prop_oneof![
        8 => prop::sample::select(&PREFIXES[..])
            .prop_map(|text| RouteDestination::Cidr(text.parse().unwrap())),
        1 => Just(RouteDestination::PrefixList("pl-1".to_owned())),
        1 => Just(RouteDestination::PrefixList("pl-9".to_owned())),
    ]
}

fn mostly() -> impl Strategy<Value = bool> {
    prop::sample::select(&[true, true, true, true, true, true, true, true, true, false][..])
}

/// A table with a way that fits its subnet, and up to two routes that may be anything.
fn route_table(id: &'static str, subnet: &'static str) -> impl Strategy<Value = VpcRouteTable> {
    let usual = match subnet {
        "subnet-nat" => RouteTarget::Internet("igw-1".to_owned()),
        _ => RouteTarget::Nat("nat-1".to_owned()),
    };
    let main = prop_oneof![5 => Just(Some(usual)), 4 => target().prop_map(Some), 1 => Just(None)];
    let others = prop::collection::vec((destination(), target(), mostly()), 0..3);
    (main, mostly(), prop_oneof![2 => Just(Vec::new()), 1 => others], mostly()).prop_map(
        move |(main, is_active, others, is_named)| {
            let route =
                |destination, target, is_active| VpcRoute { destination, target, is_active };
            let everything = RouteDestination::Cidr("0.0.0.0/0".parse().unwrap());
            let local = RouteDestination::Cidr("10.0.0.0/16".parse().unwrap());
            let mut routes = vec![route(local, RouteTarget::Local, true)];
            routes.extend(main.map(|target| route(everything.clone(), target, is_active)));
            for (destination, target, is_active) in others {
                // A table has one route for each destination.
                if !routes.iter().any(|route| route.destination == destination) {
                    routes.push(route(destination, target, is_active));
                }
            }
            VpcRouteTable {
                id: id.to_owned(),
                vpc: "vpc-1".to_owned(),
                // Without a name of its own, a subnet takes the main one: that of tasks.
                is_main: subnet == "subnet-task",
                subnets: if is_named { vec![subnet.to_owned()] } else { Vec::new() },
                gateways: Vec::new(),
                routes,
            }
        },
    )
}

/// The table of the internet gateway: mostly none, and at times one that leads to a firewall what comes in.
fn edge_table() -> impl Strategy<Value = VpcRouteTable> {
    let target = prop_oneof![
        Just(RouteTarget::Endpoint("vpce-9".to_owned())),
        Just(RouteTarget::Elsewhere("eni-9".to_owned())),
        Just(RouteTarget::Local),
    ];
    let route = (prop::sample::select(&INNER[..]), target);
    let named = prop_oneof![6 => Just(None), 1 => prop::option::of(route).prop_map(Some)];
    named.prop_map(|named| {
        let route = |prefix: &str, target| VpcRoute {
            destination: RouteDestination::Cidr(prefix.parse().unwrap()),
            target,
            is_active: true,
        };
        let gateways = named.iter().map(|_| "igw-1".to_owned()).collect();
        let mut routes = vec![route("10.0.0.0/16", RouteTarget::Local)];
        routes.extend(named.flatten().map(|(prefix, target)| route(prefix, target)));
        VpcRouteTable {
            id: "rtb-edge".to_owned(),
            vpc: "vpc-1".to_owned(),
            is_main: false,
            subnets: Vec::new(),
            gateways,
            routes,
        }
    })
}

fn nat_gateway() -> impl Strategy<Value = Option<NatGateway>> {
    let state = prop_oneof![9 => Just("available"), 1 => Just("failed"), 1 => Just("pending")];
    let place = prop_oneof![
        12 => Just((Some("subnet-nat"), None)),
        1 => Just((Some("subnet-task"), None)),
        1 => Just((None, Some("rtb-nat"))),
        1 => Just((None, None)),
    ];
    (mostly(), state, place, mostly()).prop_map(|(is_there, state, (subnet, table), is_public)| {
        is_there.then(|| NatGateway {
            id: "nat-1".to_owned(),
            vpc: "vpc-1".to_owned(),
            subnet: subnet.map(str::to_owned),
            own_route_table: table.map(str::to_owned),
            state: state.to_owned(),
            is_public,
            addresses: vec![NatGatewayAddress {
                address: Ipv4Addr::new(203, 0, 113, 17).into(),
                zone: None,
            }],
            failure: None,
        })
    })
}

fn protocol() -> impl Strategy<Value = TrafficProtocol> {
    prop_oneof![
        3 => Just(TrafficProtocol::Tcp),
        2 => Just(TrafficProtocol::All),
        1 => Just(TrafficProtocol::Udp),
    ]
}

fn acl_entry() -> impl Strategy<Value = AclEntry> {
    (
        1_u32..400,
        any::<bool>(),
        any::<bool>(),
        protocol(),
        prop::sample::select(&PREFIXES[..]),
        ports(),
    )
        .prop_map(|(number, is_egress, is_allowed, protocol, cidr, ports)| AclEntry {
            number,
            is_egress,
            is_allowed,
            protocol,
            cidr: cidr.parse().unwrap(),
            ports: if protocol == TrafficProtocol::All { PortRange::ALL } else { ports },
        })
}

fn ports() -> impl Strategy<Value = PortRange> {
    prop::sample::select(&PORTS[..])
}

/// Open, or open behind a few rules, or nothing but these.
fn acl(id: &'static str, subnet: &'static str) -> impl Strategy<Value = NetworkAcl> {
    let some = || prop::collection::vec(acl_entry(), 1..4);
    let entries = prop_oneof![
        5 => Just((true, Vec::new())),
        4 => some().prop_map(|entries| (true, entries)),
        1 => prop::collection::vec(acl_entry(), 2..8).prop_map(|entries| (false, entries)),
    ];
    entries.prop_map(move |(is_open, mut entries)| {
        let everything = |is_egress| AclEntry {
            number: 500,
            is_egress,
            is_allowed: true,
            protocol: TrafficProtocol::All,
            cidr: "0.0.0.0/0".parse().unwrap(),
            ports: PortRange::ALL,
        };
        if is_open {
            entries.extend([everything(true), everything(false)]);
        }
        entries.sort_by_key(|entry| entry.number);
        NetworkAcl {
            id: id.to_owned(),
            vpc: "vpc-1".to_owned(),
            subnets: vec![subnet.to_owned()],
            entries,
        }
    })
}

fn security_group() -> impl Strategy<Value = SecurityGroup> {
    let peer = prop_oneof![
        6 => prop::sample::select(&PREFIXES[..]).prop_map(|text| GroupPeer::Cidr(text.parse().unwrap())),
        1 => Just(GroupPeer::Group("sg-2".to_owned())),
        2 => Just(GroupPeer::PrefixList("pl-1".to_owned())),
        2 => Just(GroupPeer::PrefixList("pl-9".to_owned())),
    ];
    let rule = (protocol(), ports(), prop::collection::vec(peer, 1..3)).prop_map(
        |(protocol, ports, peers)| {
            let ports = if protocol == TrafficProtocol::All { PortRange::ALL } else { ports };
            GroupRule { protocol, ports, peers }
        },
    );
    let open = Just(vec![GroupRule {
        protocol: TrafficProtocol::All,
        ports: PortRange::ALL,
        peers: vec![GroupPeer::Cidr("0.0.0.0/0".parse().unwrap())],
    }]);
    prop_oneof![3 => open, 2 => prop::collection::vec(rule, 0..4)].prop_map(|egress| {
        SecurityGroup {
            id: "sg-1".to_owned(),
            vpc: "vpc-1".to_owned(),
            ingress: Vec::new(),
            egress,
        }
    })
}
