//! A packet walk of its own for IPv6: it follows single packets by the bits of their addresses, and knows nothing of
//! the pieces by which the check judges. Both must say the same of every network.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use fargate_aws::{GroupPeer, RouteDestination, RouteTarget, TrafficProtocol, VpcRoute, VpcSubnet};
use ipnet::IpNet;
use proptest::test_runner::{Config, TestRng, TestRunner};

use super::ipv6_path::{Ipv6Path, Ipv6Verdict};
use super::ipv6_range::ipv6_internet_cut_at;
use super::ipv6_way::{Ipv6Way, ipv6_cuts_for, whole_way};
use super::random_ipv6::{RandomIpv6Network, ipv6_network};
use super::random_network::PORTS;
use super::route_map::RouteMap;

/// How a walk ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ipv6WalkEnd {
    Delivered(&'static str),
    Dropped(&'static str),
    OutOfSight(&'static str),
    NotInternet(&'static str),
}
use Ipv6WalkEnd::{Delivered, Dropped, NotInternet, OutOfSight};

fn holds(prefix: &IpNet, address: Ipv6Addr) -> bool {
    let IpNet::V6(prefix) = prefix else { return false };
    (0..u32::from(prefix.prefix_len())).all(|bit| {
        let mask = 1_u128 << (127 - bit);
        prefix.addr().to_bits() & mask == address.to_bits() & mask
    })
}

fn list(net: &RandomIpv6Network, id: &str) -> Option<Vec<IpNet>> {
    net.view.prefix_lists.get(id).and_then(|reading| reading.known()).cloned()
}

/// The target of the most specific route; the error is where a walk ends.
fn next_hop(net: &RandomIpv6Network, server: Ipv6Addr) -> Result<&VpcRoute, Ipv6WalkEnd> {
    let table = &net.view.route_tables.known().unwrap()[0];
    let mut best: Option<(u8, bool, &VpcRoute)> = None;
    for route in &table.routes {
        let (prefixes, is_named) = match &route.destination {
            RouteDestination::Cidr(prefix) => (vec![*prefix], true),
            RouteDestination::PrefixList(id) => match list(net, id) {
                Some(known) => (known, false),
                None if matches!(route.target, RouteTarget::Endpoint(_)) => continue,
                None => return Err(OutOfSight("a list that was not read")),
            },
        };
        for prefix in prefixes.iter().filter(|prefix| holds(prefix, server)) {
            let length = prefix.prefix_len();
            if best.is_none_or(|(known, named, _)| (length, is_named) > (known, named)) {
                best = Some((length, is_named, route));
            }
        }
    }
    best.map(|(_, _, route)| route).ok_or(Dropped("no route"))
}

fn acl_lets(net: &RandomIpv6Network, out: bool, peer: Ipv6Addr, port: u16) -> bool {
    let acl = &net.view.acls.known().unwrap()[0];
    for entry in &acl.entries {
        let is_tcp = entry.protocol != TrafficProtocol::Udp;
        let has_port = entry.ports.first <= port && port <= entry.ports.last;
        if entry.is_egress == out && is_tcp && has_port && holds(&entry.cidr, peer) {
            return entry.is_allowed;
        }
    }
    false
}

/// `None` if only a list that nobody knows may let it out.
fn group_lets_out(net: &RandomIpv6Network, server: Ipv6Addr) -> Option<bool> {
    let mut may = false;
    for rule in net.groups.iter().flat_map(|group| &group.egress) {
        let is_tcp = rule.protocol != TrafficProtocol::Udp;
        if !is_tcp || rule.ports.first > 443 || rule.ports.last < 443 {
            continue;
        }
        for peer in &rule.peers {
            match peer {
                GroupPeer::Cidr(prefix) if holds(prefix, server) => return Some(true),
                GroupPeer::PrefixList(id) => match list(net, id) {
                    Some(known) if known.iter().any(|it| holds(it, server)) => return Some(true),
                    Some(_) => {}
                    None => may = true,
                },
                GroupPeer::Cidr(_) | GroupPeer::Group(_) => {}
            }
        }
    }
    if may { None } else { Some(false) }
}

/// Walks to one address, with answers to every port at which a rule may change its mind.
fn walk(net: &RandomIpv6Network, server: Ipv6Addr) -> Ipv6WalkEnd {
    let way = match next_hop(net, server) {
        Err(OutOfSight(why)) => OutOfSight(why),
        Err(end) => return end,
        Ok(route) if !route.is_active => return Dropped("a blackhole"),
        Ok(route) => match &route.target {
            RouteTarget::Local => return NotInternet("the VPC itself"),
            RouteTarget::Endpoint(_)
                if matches!(route.destination, RouteDestination::PrefixList(_)) =>
            {
                return NotInternet("a service of AWS");
            }
            RouteTarget::Nothing => return Dropped("a blackhole"),
            RouteTarget::EgressOnly(_) => Delivered("an egress-only gateway"),
            RouteTarget::Internet(_) => {
                let gateways = net.view.internet_gateways.known().unwrap();
                if gateways[0].attached_to.is_empty() {
                    return Dropped("an internet gateway that is detached");
                }
                Delivered("an internet gateway")
            }
            RouteTarget::Endpoint(_) | RouteTarget::Elsewhere(_) | RouteTarget::Nat(_) => {
                OutOfSight("a target that cannot be seen")
            }
        },
    };
    if !acl_lets(net, true, server, 443) {
        return Dropped("ACL, out");
    }
    let bounds = PORTS.iter().flat_map(|ports| [ports.first, ports.last]);
    let near = bounds.flat_map(|port| [port.saturating_sub(1), port, port.saturating_add(1)]);
    let mut ports = near.chain([32768, 60999]).filter(|port| (32768..=60999).contains(port));
    if ports.any(|port| !acl_lets(net, false, server, port)) {
        return Dropped("ACL, answer");
    }
    match (group_lets_out(net, server), way) {
        (Some(false), _) => Dropped("security group"),
        (_, OutOfSight(why)) => OutOfSight(why),
        (None, _) => OutOfSight("a list that was not read"),
        (Some(true), way) => way,
    }
}

fn subnet(net: &RandomIpv6Network) -> VpcSubnet {
    net.view.subnets.known().unwrap()[0].clone()
}

fn with_path<T>(net: &RandomIpv6Network, judge: impl FnOnce(Ipv6Path<'_>) -> T) -> T {
    let groups: Vec<_> = net.groups.iter().collect();
    judge(Ipv6Path {
        routes: RouteMap::of(&net.view, net.view.route_tables.known().unwrap()),
        acls: net.view.acls.known().unwrap(),
        groups: &groups,
    })
}

fn runner(cases: u32) -> TestRunner {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(config.rng_algorithm);
    TestRunner::new_with_rng(config, rng)
}

/// Every place where a packet may end, and how often at least.
const ENDS: [(&str, u32); 10] = [
    ("an egress-only gateway", 300),
    ("an internet gateway", 100),
    ("an internet gateway that is detached", 20),
    ("a blackhole", 100),
    ("no route", 50),
    ("a service of AWS", 3),
    ("ACL, out", 100),
    ("ACL, answer", 50),
    ("security group", 100),
    ("a target that cannot be seen", 50),
];

#[test]
fn the_verdict_over_ipv6_is_that_of_a_packet_walk() {
    let ends: RefCell<BTreeMap<&'static str, u32>> = RefCell::default();
    let result = runner(4000).run(&ipv6_network(), |net| {
        let end = walk(&net, net.destination);
        let (Delivered(place) | Dropped(place) | OutOfSight(place) | NotInternet(place)) = end;
        *ends.borrow_mut().entry(place).or_default() += 1;
        let verdict = with_path(&net, |path| path.verdict(&subnet(&net), net.destination));
        let is_same = match verdict {
            Ipv6Verdict::Reaches(_) => matches!(end, Delivered(_)),
            Ipv6Verdict::NotInternet => matches!(end, NotInternet(_)),
            Ipv6Verdict::Lost(_) => matches!(end, Dropped(_)),
            Ipv6Verdict::Unseen(_) => matches!(end, OutOfSight(_)),
        };
        proptest::prop_assert!(is_same, "{:?}, and the walk ended at {}", verdict, place);
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    let ends = ends.into_inner();
    for (place, least) in ENDS {
        let count = ends.get(place).copied().unwrap_or_default();
        assert!(count >= least, "only {count} of 4000 walks ended at {place:?}: {ends:?}");
    }
}

#[test]
fn a_subnet_has_a_way_out_over_ipv6_only_if_packets_to_most_addresses_return() {
    let counts: RefCell<(u32, u32)> = RefCell::default();
    let result = runner(2000).run(&ipv6_network(), |net| {
        let (way, pieces) = with_path(&net, |path| {
            let pieces = ipv6_internet_cut_at(&ipv6_cuts_for(path, &subnet(&net)));
            (whole_way(path, &subnet(&net)), pieces)
        });
        let (mut delivered, mut all) = (0_u128, 0_u128);
        for (first, size) in pieces {
            // The first address speaks for the last one.
            let last = Ipv6Addr::from_bits(first.to_bits() + (size - 1));
            let end = walk(&net, first);
            proptest::prop_assert_eq!(end, walk(&net, last), "{} speaks for {}", first, last);
            if !matches!(end, NotInternet(_)) {
                all += size;
                delivered += if matches!(end, Delivered(_)) { size } else { 0 };
            }
        }
        let is_out = matches!(way, Ipv6Way::Out(_));
        proptest::prop_assert_eq!(is_out, delivered * 2 >= all, "{:?}", way);
        let mut counts = counts.borrow_mut();
        *(if is_out { &mut counts.0 } else { &mut counts.1 }) += 1;
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    let (out, lost) = counts.into_inner();
    assert!(out > 300 && lost > 300, "{out} ways out, {lost} without");
}
