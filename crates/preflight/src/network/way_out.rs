//! The way out of a subnet, over all public addresses: what most of them meet.

use std::collections::BTreeSet;

use fargate_aws::{NatGateway, VpcSubnet};

use super::address_range::internet_cut_at;
use super::address_reasons::{AddressFate, AddressReasons};
use super::route_fault::{RouteFault, UnseenWay};
use super::route_map::{RouteMap, RouteVerdict};

/// The way out of a subnet.
#[derive(Clone, Debug, PartialEq)]
pub struct SubnetWay<'a> {
    /// What it is as a whole.
    pub kind: WayKind,
    /// The NAT gateways that a part of the internet is reached through.
    pub nats: Vec<&'a NatGateway>,
    /// Whether a part is reached through an internet gateway.
    pub is_direct: bool,
}

/// What the way out of a subnet is.
#[derive(Clone, Debug, PartialEq)]
pub enum WayKind {
    /// At least half of the internet is reached: single prefixes may lead elsewhere.
    Out,
    /// Something is reached, but most is not, for this reason.
    Part(RouteFault),
    /// Nothing is reached, for this reason.
    Lost(RouteFault),
    /// Nobody knows.
    Unseen(UnseenWay),
}

/// Judges the way out of a subnet.
pub fn subnet_way<'a>(
    routes: RouteMap<'a>,
    subnet: &VpcSubnet,
    has_public_ip: bool,
) -> SubnetWay<'a> {
    let (mut reasons, mut is_direct) = (AddressReasons::default(), false);
    let mut nats: Vec<&NatGateway> = Vec::new();
    for piece in internet_cut_at(&routes.prefixes_for(subnet)) {
        let fate = match routes.verdict(subnet, has_public_ip, piece.first()) {
            // A part of the VPC, or of AWS, with public addresses.
            RouteVerdict::Inside | RouteVerdict::ToService(_) => continue,
            RouteVerdict::Direct => {
                is_direct = true;
                AddressFate::Reached
            }
            RouteVerdict::ThroughNat(nat) => {
                if !nats.iter().any(|known| known.id == nat.id) {
                    nats.push(nat);
                }
                AddressFate::Reached
            }
            RouteVerdict::Lost(fault) => AddressFate::Lost(fault),
            RouteVerdict::Unseen(way) => AddressFate::Unseen(way),
        };
        reasons.add(u128::from(piece.size()), fate);
    }
    let reaches_some = reasons.reached() > 0;
    let kind = match reasons.of_most() {
        AddressFate::Reached => WayKind::Out,
        AddressFate::Lost(fault) if reaches_some => WayKind::Part(fault),
        AddressFate::Lost(fault) => WayKind::Lost(fault),
        AddressFate::Unseen(way) => WayKind::Unseen(way),
    };
    SubnetWay { kind, nats, is_direct }
}

impl SubnetWay<'_> {
    /// The addresses from which tasks leave through NAT gateways.
    pub fn addresses(&self) -> BTreeSet<String> {
        let all = self.nats.iter().flat_map(|nat| &nat.addresses);
        all.map(|it| it.address.to_string()).collect()
    }
}
