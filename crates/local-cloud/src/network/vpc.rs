//! VPCs.

/// One VPC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudVpc {
    /// `vpc-` and hexadecimal digits.
    pub id: String,
    /// Its IPv4 addresses.
    pub cidr: String,
    /// Its IPv6 addresses, where it has some.
    pub ipv6_cidr: Option<String>,
    /// `enableDnsSupport`: the resolver of Amazon answers in it.
    pub dns_support: bool,
    /// `enableDnsHostnames`: its addresses have names, which private endpoints and EFS need.
    pub dns_hostnames: bool,
}

impl CloudVpc {
    /// A VPC with DNS.
    #[must_use]
    pub fn new(id: &str, cidr: &str) -> Self {
        Self {
            id: id.to_owned(),
            cidr: cidr.to_owned(),
            ipv6_cidr: None,
            dns_support: true,
            dns_hostnames: true,
        }
    }
}
