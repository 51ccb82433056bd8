//! What may pass: security groups, which know answers to what they let out, and network ACLs, which do not.

/// A security group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudSecurityGroup {
    /// `sg-` and hexadecimal digits.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its VPC.
    pub vpc: String,
    /// What may come in.
    pub ingress: Vec<SecurityGroupRule>,
    /// What may go out.
    pub egress: Vec<SecurityGroupRule>,
}

/// One rule of a security group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityGroupRule {
    /// `tcp`, `udp`, `icmp`, or `-1` for all.
    pub protocol: String,
    /// First and last port; `None` for all of them.
    pub ports: Option<(u16, u16)>,
    /// The other end.
    pub peer: PacketSource,
}

/// The other end of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PacketSource {
    /// A block of IPv4 or IPv6 addresses.
    Cidr(String),
    /// The members of a security group.
    Group(String),
    /// A prefix list.
    PrefixList(String),
}

/// A network ACL. What no rule decides is denied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudNetworkAcl {
    /// `acl-` and hexadecimal digits.
    pub id: String,
    /// Its VPC.
    pub vpc: String,
    /// Whether it is the default one of its VPC.
    pub is_default: bool,
    /// The subnets that have it.
    pub subnets: Vec<String>,
    /// Its rules. The lowest number decides first.
    pub rules: Vec<NetworkAclRule>,
}

/// One rule of a network ACL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkAclRule {
    /// Its number.
    pub number: u16,
    /// Whether it is about what goes out.
    pub is_egress: bool,
    /// Whether it allows.
    pub allows: bool,
    /// The number of the protocol, `6` for TCP and `17` for UDP, or `-1` for all.
    pub protocol: String,
    /// First and last port; `None` for all of them.
    pub ports: Option<(u16, u16)>,
    /// A block of IPv4 or IPv6 addresses.
    pub cidr: String,
}

impl SecurityGroupRule {
    /// TCP to one port.
    #[must_use]
    pub fn tcp(port: u16, peer: PacketSource) -> Self {
        Self { protocol: "tcp".to_owned(), ports: Some((port, port)), peer }
    }

    /// UDP to one port.
    #[must_use]
    pub fn udp(port: u16, peer: PacketSource) -> Self {
        Self { protocol: "udp".to_owned(), ports: Some((port, port)), peer }
    }
}

impl NetworkAclRule {
    /// Everything, as the default ACL of a new VPC allows it in this direction.
    #[must_use]
    pub fn allow_all(number: u16, is_egress: bool) -> Self {
        Self {
            number,
            is_egress,
            allows: true,
            protocol: "-1".to_owned(),
            ports: None,
            cidr: "0.0.0.0/0".to_owned(),
        }
    }
}
