//! Route tables.

/// One route table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudRouteTable {
    /// `rtb-` and hexadecimal digits.
    pub id: String,
    /// Its VPC.
    pub vpc: String,
    /// Whether it is the main one, which all subnets have that no table names.
    pub is_main: bool,
    /// The subnets that it is explicitly for.
    pub subnets: Vec<String>,
    /// Its routes, without the local one, which every table has.
    pub routes: Vec<CloudRoute>,
}

/// One route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudRoute {
    /// A block of IPv4 or IPv6 addresses, or a prefix list (`pl-...`).
    pub destination: String,
    /// Where packets go.
    pub target: CloudRouteTarget,
    /// Whether the state is `blackhole`: the target is gone.
    pub is_blackhole: bool,
}

/// Where a route leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloudRouteTarget {
    /// An internet gateway, a gateway endpoint or a virtual private gateway, by its id.
    Gateway(String),
    /// A NAT gateway.
    NatGateway(String),
    /// An internet gateway that lets IPv6 out and nothing in.
    EgressOnlyGateway(String),
    /// A transit gateway.
    TransitGateway(String),
    /// A network interface, for example that of a NAT instance.
    NetworkInterface(String),
}

impl CloudRoute {
    /// A route that works.
    #[must_use]
    pub fn new(destination: &str, target: CloudRouteTarget) -> Self {
        Self { destination: destination.to_owned(), target, is_blackhole: false }
    }
}
