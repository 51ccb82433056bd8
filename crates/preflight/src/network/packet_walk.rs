//! A packet walk of its own: it follows single packets, port by port and address by address, and knows nothing
//! of the ranges and pieces by which the checks judge. Both must say the same of every network.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use fargate_aws::{GroupPeer, RouteDestination, RouteTarget, TrafficProtocol, VpcRoute};
use ipnet::IpNet;
use proptest::test_runner::{Config, TestRng, TestRunner};

use super::address_range::{AddressSpan, internet_cut_at};
use super::path_verdict::{InternetPath, PathVerdict, cuts_for};
use super::random_network::{PORTS, RandomNetwork, network};
use super::route_map::RouteMap;
use super::way_out::{WayKind, subnet_way};

const TASK: &str = "subnet-task";

/// How a walk ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WalkEnd {
    /// The answer came back, this way.
    Delivered(&'static str),
    /// The packet or its answer was dropped here.
    Dropped(&'static str),
    /// The packet went where nobody can follow it.
    OutOfSight(&'static str),
}

/// One connection: its ports.
#[derive(Clone, Copy, Debug)]
struct WalkedConnection {
    task: Ipv4Addr,
    task_port: u16,
    nat_port: u16,
    server: Ipv4Addr,
    inspected: InspectedWays,
}

/// Which answers pass an appliance, as tables have it that tasks do not use themselves.
#[derive(Clone, Copy, Debug, Default)]
struct InspectedWays {
    /// From the internet gateway to tasks.
    gateway_to_task: bool,
    /// From the internet gateway to the NAT gateway.
    gateway_to_nat: bool,
    /// From the NAT gateway to tasks.
    nat_to_task: bool,
}

impl InspectedWays {
    fn of(net: &RandomNetwork) -> Self {
        let tables = net.view.route_tables.known().unwrap();
        let edge = tables.iter().find(|table| table.gateways.iter().any(|it| it == "igw-1"));
        let by_edge = |subnet| edge.is_some_and(|edge| leads_elsewhere(net, &edge.id, subnet));
        let nat = net.view.nat_gateways.known().unwrap().first();
        let subnet = nat.and_then(|nat| nat.subnet.as_ref());
        let nat_prefix = subnet.map(|id| if id == TASK { [10, 0, 1] } else { [10, 0, 101] });
        let own = nat.and_then(|nat| nat.own_route_table.clone());
        let table = subnet.map(|id| table_of(net, id)).or(own);
        Self {
            gateway_to_task: by_edge([10, 0, 1]),
            gateway_to_nat: nat_prefix.is_some_and(by_edge),
            nat_to_task: table.is_some_and(|id| leads_elsewhere(net, &id, [10, 0, 1])),
        }
    }
}

/// Walks one connection.
fn walk(net: &RandomNetwork, it: WalkedConnection) -> WalkEnd {
    let mut out_of_sight = None;
    match group_lets_out(net, it.server) {
        Some(true) => {}
        Some(false) => return WalkEnd::Dropped("security group"),
        None => out_of_sight = Some("a list that was not read"),
    }
    if !acl_lets(net, TASK, true, it.server, 443) {
        return WalkEnd::Dropped("ACL of the task, out");
    }
    let way = match forwarded(net, table_of(net, TASK), it.server) {
        Ok(NextHop::Nat(id)) => match through_nat(net, &id, it) {
            Ok(()) => "through a NAT gateway",
            Err(WalkEnd::OutOfSight(why)) => {
                out_of_sight = Some(why);
                ""
            }
            Err(end) => return end,
        },
        Ok(NextHop::Internet) if net.has_public_ip => {
            if it.inspected.gateway_to_task {
                out_of_sight = Some("an appliance behind the internet gateway");
            }
            "directly"
        }
        Ok(NextHop::Internet) => return WalkEnd::Dropped("no public address"),
        Ok(NextHop::OutOfSight) => {
            out_of_sight = Some("a target that cannot be seen");
            ""
        }
        Ok(NextHop::Service) => {
            out_of_sight = Some("a service of AWS");
            ""
        }
        Err(why) => return WalkEnd::Dropped(why),
    };
    if !acl_lets(net, TASK, false, it.server, it.task_port) {
        return WalkEnd::Dropped("ACL of the task, answer");
    }
    out_of_sight.map_or(WalkEnd::Delivered(way), WalkEnd::OutOfSight)
}

/// Where a router sends a packet.
enum NextHop {
    Nat(String),
    Internet,
    Service,
    OutOfSight,
}

fn through_nat(net: &RandomNetwork, id: &str, it: WalkedConnection) -> Result<(), WalkEnd> {
    let nats = net.view.nat_gateways.known().unwrap();
    let Some(nat) = nats.iter().find(|nat| nat.id == id) else {
        return Err(WalkEnd::Dropped("no such NAT gateway"));
    };
    if nat.state != "available" {
        return Err(WalkEnd::Dropped("a NAT gateway that does not work"));
    }
    let table = match (&nat.subnet, &nat.own_route_table) {
        (Some(subnet), _) => table_of(net, subnet),
        (None, Some(table)) => table.clone(),
        (None, None) => return Err(WalkEnd::OutOfSight("a NAT gateway without a place")),
    };
    match forwarded(net, table, it.server) {
        Ok(NextHop::Internet) if nat.is_public => {
            if it.inspected.gateway_to_nat {
                return Err(WalkEnd::OutOfSight("an appliance behind the internet gateway"));
            }
            if it.inspected.nat_to_task {
                return Err(WalkEnd::OutOfSight("an appliance behind the NAT gateway"));
            }
        }
        Ok(NextHop::Internet) => return Err(WalkEnd::Dropped("a private NAT gateway")),
        Ok(NextHop::OutOfSight | NextHop::Service) => {
            return Err(WalkEnd::OutOfSight("what is behind a NAT gateway"));
        }
        Ok(NextHop::Nat(_)) | Err(_) => {
            return Err(WalkEnd::Dropped("a NAT gateway without a way"));
        }
    }
    let Some(subnet) = &nat.subnet else { return Ok(()) };
    let crossings = [
        (false, it.task, 443, "ACL of the NAT gateway, in"),
        (true, it.server, 443, "ACL of the NAT gateway, out"),
        (false, it.server, it.nat_port, "ACL of the NAT gateway, answer in"),
        (true, it.task, it.task_port, "ACL of the NAT gateway, answer out"),
    ];
    for (is_egress, peer, port, place) in crossings {
        if !acl_lets(net, subnet, is_egress, peer, port) {
            return Err(WalkEnd::Dropped(place));
        }
    }
    Ok(())
}

fn holds(prefix: &IpNet, address: Ipv4Addr) -> bool {
    match prefix {
        IpNet::V4(prefix) => {
            let shift = 32 - u32::from(prefix.prefix_len());
            let cut = |it: Ipv4Addr| it.to_bits().checked_shr(shift).unwrap_or(0);
            cut(prefix.network()) == cut(address)
        }
        IpNet::V6(_) => false,
    }
}

fn list(net: &RandomNetwork, id: &str) -> Option<Vec<IpNet>> {
    net.view.prefix_lists.get(id).and_then(|reading| reading.known()).cloned()
}

/// `None` if only a list that nobody knows may let it out.
fn group_lets_out(net: &RandomNetwork, server: Ipv4Addr) -> Option<bool> {
    let mut may = false;
    for rule in net.groups.iter().flat_map(|group| &group.egress) {
        let is_tcp = rule.protocol == TrafficProtocol::Tcp || rule.protocol == TrafficProtocol::All;
        if !is_tcp || rule.ports.first > 443 || rule.ports.last < 443 {
            continue;
        }
        for peer in &rule.peers {
            match peer {
                GroupPeer::Cidr(prefix) if holds(prefix, server) => return Some(true),
                GroupPeer::PrefixList(id) => match list(net, id) {
                    Some(known) if known.iter().any(|prefix| holds(prefix, server)) => {
                        return Some(true);
                    }
                    Some(_) => {}
                    None => may = true,
                },
                GroupPeer::Cidr(_) | GroupPeer::Group(_) => {}
            }
        }
    }
    if may { None } else { Some(false) }
}

fn acl_lets(net: &RandomNetwork, subnet: &str, out: bool, peer: Ipv4Addr, port: u16) -> bool {
    let acls = net.view.acls.known().unwrap();
    let acl = acls.iter().find(|acl| acl.subnets.iter().any(|it| it == subnet)).unwrap();
    for entry in &acl.entries {
        let is_tcp =
            entry.protocol == TrafficProtocol::Tcp || entry.protocol == TrafficProtocol::All;
        let has_port = entry.ports.first <= port && port <= entry.ports.last;
        if entry.is_egress == out && is_tcp && has_port && holds(&entry.cidr, peer) {
            return entry.is_allowed;
        }
    }
    false
}

fn table_of(net: &RandomNetwork, subnet: &str) -> String {
    let tables = net.view.route_tables.known().unwrap();
    for table in tables {
        if table.subnets.iter().any(|it| it == subnet) {
            return table.id.clone();
        }
    }
    tables.iter().find(|table| table.is_main).unwrap().id.clone()
}

/// Follows the most specific route.
fn forwarded(
    net: &RandomNetwork,
    table: String,
    server: Ipv4Addr,
) -> Result<NextHop, &'static str> {
    let tables = net.view.route_tables.known().unwrap();
    let table = tables.iter().find(|it| it.id == table).unwrap();
    let mut chosen: Option<(u8, &VpcRoute)> = None;
    // Lists come first, so that a route that names the prefix itself wins against a list.
    let (lists, prefixes): (Vec<&VpcRoute>, Vec<&VpcRoute>) = table
        .routes
        .iter()
        .partition(|route| matches!(route.destination, RouteDestination::PrefixList(_)));
    for route in lists.into_iter().chain(prefixes) {
        let known = match &route.destination {
            RouteDestination::Cidr(prefix) => vec![*prefix],
            RouteDestination::PrefixList(id) => match list(net, id) {
                Some(known) => known,
                None if matches!(route.target, RouteTarget::Endpoint(_)) => continue,
                None => return Ok(NextHop::OutOfSight),
            },
        };
        for prefix in known.iter().filter(|prefix| holds(prefix, server)) {
            if chosen.is_none_or(|(length, _)| prefix.prefix_len() >= length) {
                chosen = Some((prefix.prefix_len(), route));
            }
        }
    }
    let Some((_, route)) = chosen else { return Err("no route") };
    if !route.is_active {
        return Err("a blackhole");
    }
    match &route.target {
        RouteTarget::Nat(id) => Ok(NextHop::Nat(id.clone())),
        RouteTarget::Internet(id) => {
            let known = net.view.internet_gateways.known().unwrap();
            let attached = known.iter().any(|it| it.id == *id && !it.attached_to.is_empty());
            if attached {
                Ok(NextHop::Internet)
            } else {
                Err("an internet gateway that is detached")
            }
        }
        RouteTarget::Endpoint(_) => match route.destination {
            RouteDestination::PrefixList(_) => Ok(NextHop::Service),
            RouteDestination::Cidr(_) => Ok(NextHop::OutOfSight),
        },
        RouteTarget::Elsewhere(_) | RouteTarget::EgressOnly(_) => Ok(NextHop::OutOfSight),
        RouteTarget::Local => Err("the VPC itself"),
        RouteTarget::Nothing => Err("a blackhole"),
    }
}

/// Hosts of a subnet, on both sides of every prefix that cuts it.
const HOSTS: [u8; 8] = [0, 1, 76, 77, 78, 127, 128, 255];

/// Whether a table leads packets for one of the hosts of this subnet to somebody else.
fn leads_elsewhere(net: &RandomNetwork, table: &str, [a, b, c]: [u8; 3]) -> bool {
    let address = |host| Ipv4Addr::new(a, b, c, host);
    HOSTS.into_iter().any(|host| {
        !matches!(forwarded(net, table.to_owned(), address(host)), Err("the VPC itself"))
    })
}

/// Every port at which a rule may change its mind, and those beside it.
fn ports_between(first: u16, last: u16) -> Vec<u16> {
    let bounds = PORTS.iter().flat_map(|ports| [ports.first, ports.last]);
    let near = bounds.flat_map(|port| [port.saturating_sub(1), port, port.saturating_add(1)]);
    let mut ports: Vec<u16> =
        near.chain([first, last]).filter(|port| (first..=last).contains(port)).collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}

/// Walks a connection from many addresses and ports of the subnet: one that is dropped is enough.
fn walk_all(net: &RandomNetwork) -> WalkEnd {
    let (task_ports, nat_ports) = (ports_between(32768, 60999), ports_between(1024, 65535));
    let inspected = InspectedWays::of(net);
    let mut end = None;
    for host in HOSTS {
        for at in 0..task_ports.len().max(nat_ports.len()) {
            let connection = WalkedConnection {
                task: Ipv4Addr::new(10, 0, 1, host),
                task_port: task_ports[at % task_ports.len()],
                nat_port: nat_ports[at % nat_ports.len()],
                server: net.destination,
                inspected,
            };
            match walk(net, connection) {
                WalkEnd::Dropped(why) => return WalkEnd::Dropped(why),
                other => end = Some(other),
            }
        }
    }
    end.unwrap()
}

fn with_path<T>(net: &RandomNetwork, judge: impl FnOnce(InternetPath<'_>) -> T) -> T {
    let groups: Vec<_> = net.groups.iter().collect();
    judge(InternetPath {
        routes: RouteMap::of(&net.view, net.view.route_tables.known().unwrap()),
        acls: net.view.acls.known().unwrap(),
        groups: &groups,
        has_public_ip: net.has_public_ip,
    })
}

fn task_subnet(net: &RandomNetwork) -> fargate_aws::VpcSubnet {
    net.view.subnets.known().unwrap().iter().find(|subnet| subnet.id == TASK).unwrap().clone()
}

fn runner(cases: u32) -> TestRunner {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(config.rng_algorithm);
    TestRunner::new_with_rng(config, rng)
}

/// Every place where a packet may end, and how often at least, so that no branch is tried by luck alone.
const ENDS: [(&str, u32); 20] = [
    ("through a NAT gateway", 200),
    ("directly", 50),
    ("security group", 200),
    ("ACL of the task, out", 50),
    ("ACL of the task, answer", 30),
    ("ACL of the NAT gateway, in", 30),
    ("ACL of the NAT gateway, out", 10),
    ("ACL of the NAT gateway, answer in", 5),
    ("ACL of the NAT gateway, answer out", 5),
    ("no public address", 50),
    ("no such NAT gateway", 50),
    ("a NAT gateway that does not work", 50),
    ("a private NAT gateway", 20),
    ("a NAT gateway without a way", 50),
    ("no route", 50),
    ("a blackhole", 50),
    ("an internet gateway that is detached", 20),
    ("a target that cannot be seen", 50),
    ("an appliance behind the internet gateway", 20),
    ("an appliance behind the NAT gateway", 5),
];

#[test]
fn the_verdict_over_port_443_is_that_of_a_packet_walk() {
    let ends: RefCell<BTreeMap<&'static str, u32>> = RefCell::default();
    let result = runner(8000).run(&network(), |net| {
        let end = walk_all(&net);
        let subnet = task_subnet(&net);
        let verdict = with_path(&net, |path| path.verdict(&subnet, net.destination));
        let (wanted, place) = match end {
            WalkEnd::Delivered(place) => (PathVerdict::Reaches, place),
            WalkEnd::Dropped(place) => (PathVerdict::Lost, place),
            WalkEnd::OutOfSight(place) => (PathVerdict::Unseen, place),
        };
        *ends.borrow_mut().entry(place).or_default() += 1;
        proptest::prop_assert_eq!(verdict, wanted, "the walk ended at {}", place);
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    let ends = ends.into_inner();
    for (place, least) in ENDS {
        let count = ends.get(place).copied().unwrap_or_default();
        assert!(count >= least, "only {count} of 8000 walks ended at {place:?}: {ends:?}");
    }
}

#[test]
fn one_address_speaks_for_all_between_two_cuts() {
    let strategy = (network(), proptest::prelude::any::<u32>());
    let result = runner(2000).run(&strategy, |(net, any)| {
        let subnet = task_subnet(&net);
        with_path(&net, |path| {
            let cuts = cuts_for(&path, &subnet);
            let address = Ipv4Addr::from_bits(any);
            let piece = internet_cut_at(&cuts).into_iter().rev().find(|it| it.first() <= address);
            let end = |it: &AddressSpan| u64::from(it.first().to_bits()) + it.size();
            let Some(piece) = piece.filter(|it| end(it) > u64::from(any)) else { return Ok(()) };
            let (one, other) =
                (path.verdict(&subnet, piece.first()), path.verdict(&subnet, address));
            proptest::prop_assert_eq!(one, other, "{} speaks for {}", piece.first(), address);
            Ok(())
        })
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}

/// The addresses of the internet at which a route of this network begins or ends.
fn route_cuts(net: &RandomNetwork) -> Vec<Ipv4Addr> {
    let tables = net.view.route_tables.known().unwrap();
    let prefixes =
        tables.iter().flat_map(|table| &table.routes).flat_map(|route| match &route.destination {
            RouteDestination::Cidr(prefix) => vec![*prefix],
            RouteDestination::PrefixList(list) => {
                let prefixes = net.view.prefix_lists.get(list).and_then(|it| it.known());
                prefixes.cloned().unwrap_or_default()
            }
        });
    let ends = prefixes.flat_map(|prefix| match prefix {
        IpNet::V4(prefix) => {
            let behind = u32::from(prefix.broadcast()).wrapping_add(1);
            vec![prefix.network(), Ipv4Addr::from_bits(behind)]
        }
        IpNet::V6(_) => Vec::new(),
    });
    let is_apart = |address: &Ipv4Addr| {
        address.is_private() || address.is_loopback() || address.is_unspecified()
    };
    ends.filter(|address| !is_apart(address)).collect()
}

#[test]
fn a_subnet_has_a_way_out_only_if_packets_to_the_internet_have_a_route() {
    let counts: RefCell<(u32, u32)> = RefCell::default();
    let result = runner(2000).run(&network(), |mut net| {
        // Only the routes are asked about: everything else lets everything pass.
        let open = |is_egress| fargate_aws::AclEntry {
            number: 1,
            is_egress,
            is_allowed: true,
            protocol: TrafficProtocol::All,
            cidr: "0.0.0.0/0".parse().unwrap(),
            ports: fargate_aws::PortRange::ALL,
        };
        let mut acls = net.view.acls.known().unwrap().clone();
        acls.iter_mut().for_each(|acl| acl.entries = vec![open(true), open(false)]);
        net.view.acls = crate::reading::AwsReading::Known(acls);
        net.groups[0].egress = vec![fargate_aws::GroupRule {
            protocol: TrafficProtocol::All,
            ports: fargate_aws::PortRange::ALL,
            peers: vec![GroupPeer::Cidr("0.0.0.0/0".parse().unwrap())],
        }];
        let subnet = task_subnet(&net);
        let routes = RouteMap::of(&net.view, net.view.route_tables.known().unwrap());
        let kind = subnet_way(routes, &subnet, net.has_public_ip).kind;
        // An address in each 256th of the internet.
        let cuts = route_cuts(&net);
        let mut is_delivered = |address| {
            net.destination = address;
            matches!(walk_all(&net), WalkEnd::Delivered(_))
        };
        let spread = (1..=223_u8).filter(|it| ![10, 127].contains(it));
        let delivered =
            spread.filter(|first| is_delivered(Ipv4Addr::new(*first, 200, 3, 4))).count();
        // Where another route begins to count: at the begin of a prefix, and behind its end.
        let is_any = delivered > 0 || cuts.into_iter().any(&mut is_delivered);
        match kind {
            WayKind::Out => {
                counts.borrow_mut().0 += 1;
                proptest::prop_assert!(delivered >= 100, "{}", delivered);
            }
            WayKind::Part(_) => {
                proptest::prop_assert!(is_any && delivered <= 120, "{}", delivered)
            }
            WayKind::Lost(_) => {
                counts.borrow_mut().1 += 1;
                proptest::prop_assert!(!is_any, "{}", delivered);
            }
            WayKind::Unseen(_) => proptest::prop_assert!(delivered <= 120, "{}", delivered),
        }
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    let (out, lost) = counts.into_inner();
    assert!(out > 300 && lost > 300, "{out} ways out, {lost} lost");
}
