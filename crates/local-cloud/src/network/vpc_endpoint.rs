//! VPC endpoints: ways to services of AWS without the internet.

/// One endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudVpcEndpoint {
    /// `vpce-` and hexadecimal digits.
    pub id: String,
    /// Its VPC.
    pub vpc: String,
    /// The last part of the service's name, for example `ecr.api` or `s3`. The Region is put before it.
    pub service: String,
    /// `available`, `pending`, `deleted` and others.
    pub state: String,
    /// How it is reached.
    pub kind: CloudEndpointKind,
}

/// How an endpoint is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloudEndpointKind {
    /// By a route in these tables.
    Gateway {
        /// The route tables.
        route_tables: Vec<String>,
    },
    /// By an address in these subnets.
    Interface {
        /// The subnets.
        subnets: Vec<String>,
        /// Its security groups.
        security_groups: Vec<String>,
        /// Whether the usual name of the service leads to it.
        private_dns: bool,
    },
}
