//! Random networks of IPv6: one subnet for tasks, and what may stand between a task and the internet.

use std::net::Ipv6Addr;

use fargate_aws::{
    AclEntry, GroupPeer, GroupRule, InternetGateway, NetworkAcl, PortRange, RouteDestination,
    RouteTarget, SecurityGroup, TrafficProtocol, VpcRoute, VpcRouteTable, VpcSubnet,
};
use proptest::prelude::*;

use super::random_network::PORTS;
use crate::reading::AwsReading;
use crate::views::NetworkView;

/// A network, and what a task in it asks.
#[derive(Clone, Debug)]
pub struct RandomIpv6Network {
    /// The VPC.
    pub view: NetworkView,
    /// The task's security groups.
    pub groups: Vec<SecurityGroup>,
    /// Whom it asks.
    pub destination: Ipv6Addr,
}

const DESTINATIONS: [Ipv6Addr; 4] = [
    Ipv6Addr::new(0x2606, 0x4700, 0x90, 0, 0, 0, 0, 1),
    Ipv6Addr::new(0x2a05, 0xd018, 0x7ff, 0, 0, 0, 0, 9),
    Ipv6Addr::new(0x2001, 0x4860, 0x4860, 0, 0, 0, 0, 0x8888),
    Ipv6Addr::new(0x2c0f, 0xfb50, 0, 0, 0, 0, 0, 1),
];

/// Prefixes of rules and routes: of everything, of destinations, of the VPC; and some of IPv4.
const PREFIXES: [&str; 11] = [
    "::/0",
    "::/0",
    "2000::/3",
    "8000::/1",
    "2600::/12",
    "2606:4700::/32",
    "2a05:d018:7ff::/48",
    "2001:4860::/32",
    "fd00::/8",
    "0.0.0.0/0",
    "10.0.0.0/16",
];

fn mostly() -> impl Strategy<Value = bool> {
    prop::sample::select(&[true, true, true, true, true, true, false][..])
}

fn prefix() -> impl Strategy<Value = ipnet::IpNet> {
    prop::sample::select(&PREFIXES[..]).prop_map(|text| text.parse().unwrap())
}

fn ports() -> impl Strategy<Value = PortRange> {
    prop::sample::select(&PORTS[..])
}

fn target() -> impl Strategy<Value = RouteTarget> {
    prop_oneof![
        6 => Just(RouteTarget::EgressOnly("eigw-1".to_owned())),
        3 => Just(RouteTarget::Internet("igw-1".to_owned())),
        1 => Just(RouteTarget::Elsewhere("tgw-1".to_owned())),
        1 => Just(RouteTarget::Endpoint("vpce-1".to_owned())),
        1 => Just(RouteTarget::Nat("nat-1".to_owned())),
        1 => Just(RouteTarget::Nothing),
    ]
}

/// A table with a way out over IPv6 or without one, and up to two routes that may be anything.
fn table() -> impl Strategy<Value = VpcRouteTable> {
    let destination = prop_oneof![
        8 => prefix().prop_map(RouteDestination::Cidr),
        1 => Just(RouteDestination::PrefixList("pl-1".to_owned())),
        1 => Just(RouteDestination::PrefixList("pl-9".to_owned())),
    ];
    let others = prop::collection::vec((destination, target(), mostly()), 0..3);
    let main = prop_oneof![8 => target().prop_map(Some), 1 => Just(None)];
    (main, mostly(), prop_oneof![2 => Just(Vec::new()), 1 => others]).prop_map(
        |(main, is_active, others)| {
            let cidr = |text: &str| RouteDestination::Cidr(text.parse().unwrap());
            let mut routes = vec![VpcRoute {
                destination: cidr("2a05:d018:1::/56"),
                target: RouteTarget::Local,
                is_active: true,
            }];
            routes.extend(main.map(|target| VpcRoute {
                destination: cidr("::/0"),
                target,
                is_active,
            }));
            for (destination, target, is_active) in others {
                // A table has one route for each destination.
                if !routes.iter().any(|route| route.destination == destination) {
                    routes.push(VpcRoute { destination, target, is_active });
                }
            }
            VpcRouteTable {
                id: "rtb-1".to_owned(),
                vpc: "vpc-1".to_owned(),
                is_main: true,
                subnets: Vec::new(),
                gateways: Vec::new(),
                routes,
            }
        },
    )
}

fn protocol() -> impl Strategy<Value = TrafficProtocol> {
    prop_oneof![
        3 => Just(TrafficProtocol::Tcp),
        2 => Just(TrafficProtocol::All),
        1 => Just(TrafficProtocol::Udp),
    ]
}

/// Open for IPv6 behind a few rules, or nothing but these.
fn acl() -> impl Strategy<Value = NetworkAcl> {
    let entry = (1_u32..400, any::<bool>(), any::<bool>(), protocol(), prefix(), ports());
    let entry = entry.prop_map(|(number, is_egress, is_allowed, protocol, cidr, ports)| {
        let ports = if protocol == TrafficProtocol::All { PortRange::ALL } else { ports };
        AclEntry { number, is_egress, is_allowed, protocol, cidr, ports }
    });
    let some = prop_oneof![3 => Just(Vec::new()), 2 => prop::collection::vec(entry, 1..4)];
    (some, mostly(), mostly()).prop_map(|(mut entries, lets_out, lets_in)| {
        for (is_egress, _) in [(true, lets_out), (false, lets_in)].iter().filter(|(_, is)| *is) {
            entries.push(AclEntry {
                number: 500,
                is_egress: *is_egress,
                is_allowed: true,
                protocol: TrafficProtocol::All,
                cidr: "::/0".parse().unwrap(),
                ports: PortRange::ALL,
            });
        }
        entries.sort_by_key(|entry| entry.number);
        NetworkAcl {
            id: "acl-1".to_owned(),
            vpc: "vpc-1".to_owned(),
            subnets: vec!["subnet-task".to_owned()],
            entries,
        }
    })
}

fn group() -> impl Strategy<Value = SecurityGroup> {
    let peer = prop_oneof![
        6 => prefix().prop_map(GroupPeer::Cidr),
        1 => Just(GroupPeer::Group("sg-2".to_owned())),
        1 => Just(GroupPeer::PrefixList("pl-1".to_owned())),
        1 => Just(GroupPeer::PrefixList("pl-9".to_owned())),
    ];
    let rule = (protocol(), ports(), prop::collection::vec(peer, 1..3))
        .prop_map(|(protocol, ports, peers)| GroupRule { protocol, ports, peers });
    let open = Just(vec![GroupRule {
        protocol: TrafficProtocol::All,
        ports: PortRange::ALL,
        peers: vec![GroupPeer::Cidr("::/0".parse().unwrap())],
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

pub fn ipv6_network() -> impl Strategy<Value = RandomIpv6Network> {
    (
        table(),
        mostly(),
        acl(),
        prop::collection::vec(group(), 1..3),
        prop::sample::select(&DESTINATIONS[..]),
    )
        .prop_map(|(table, is_attached, acl, groups, destination)| {
            let attached_to = if is_attached { vec!["vpc-1".to_owned()] } else { Vec::new() };
            let list = vec!["2606:4700::/32".parse().unwrap(), "10.0.0.0/8".parse().unwrap()];
            let view = NetworkView {
                subnets: AwsReading::Known(vec![VpcSubnet {
                    id: "subnet-task".to_owned(),
                    vpc: "vpc-1".to_owned(),
                    zone: "eu-west-1a".to_owned(),
                    cidr: None,
                    ipv6_cidr: Some("2a05:d018:1:1::/64".parse().unwrap()),
                    free_addresses: 200,
                    state: "available".to_owned(),
                }]),
                route_tables: AwsReading::Known(vec![table]),
                internet_gateways: AwsReading::Known(vec![InternetGateway {
                    id: "igw-1".to_owned(),
                    attached_to,
                }]),
                acls: AwsReading::Known(vec![acl]),
                prefix_lists: [("pl-1".to_owned(), AwsReading::Known(list))].into(),
                ..NetworkView::default()
            };
            RandomIpv6Network { view, groups, destination }
        })
}
