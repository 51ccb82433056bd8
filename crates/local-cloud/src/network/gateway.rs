//! The gateways between a VPC and the internet.

use std::net::Ipv4Addr;

/// An internet gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudInternetGateway {
    /// `igw-` and hexadecimal digits.
    pub id: String,
    /// The VPC that it is attached to; `None` where it is attached to none.
    pub vpc: Option<String>,
}

/// A NAT gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudNatGateway {
    /// `nat-` and hexadecimal digits.
    pub id: String,
    /// Its VPC.
    pub vpc: String,
    /// The subnet that it stands in.
    pub subnet: String,
    /// `pending`, `available`, `failed`, `deleting` or `deleted`.
    pub state: String,
    /// Its elastic IP address. A private NAT gateway has none.
    pub elastic_ip: Option<Ipv4Addr>,
    /// Its address inside the subnet.
    pub private_ip: Ipv4Addr,
}
