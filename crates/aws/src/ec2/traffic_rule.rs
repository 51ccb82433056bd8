//! Protocol and ports, as network ACLs and security groups name them.

use super::ec2_pages::value_of;

/// The protocol that a rule is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrafficProtocol {
    /// All protocols, and all ports.
    All,
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// Another one by its number, which no check asks about.
    Other(u8),
}

/// Ports from the first to the last, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    /// The lowest port.
    pub first: u16,
    /// The highest port.
    pub last: u16,
}

impl PortRange {
    /// All ports.
    pub const ALL: Self = Self { first: 0, last: u16::MAX };

    /// One port.
    #[must_use]
    pub fn one(port: u16) -> Self {
        Self { first: port, last: port }
    }

    /// Whether it has this port.
    #[must_use]
    pub fn contains(self, port: u16) -> bool {
        (self.first..=self.last).contains(&port)
    }
}

impl std::fmt::Display for PortRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.first == self.last {
            true => write!(f, "{}", self.first),
            false => write!(f, "{}-{}", self.first, self.last),
        }
    }
}

impl TrafficProtocol {
    /// Reads a name or a number; `-1` are all.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        Ok(match text {
            "-1" | "all" => Self::All,
            "tcp" | "6" => Self::Tcp,
            "udp" | "17" => Self::Udp,
            "icmp" => Self::Other(1),
            "icmpv6" => Self::Other(58),
            number => Self::Other(value_of("a protocol", number)?),
        })
    }
}

/// The ports of a rule. Without both numbers, or with -1, a rule is for all of them.
pub(super) fn ports_of(from: Option<i32>, to: Option<i32>) -> Result<PortRange, String> {
    let (Some(from), Some(to)) = (from, to) else { return Ok(PortRange::ALL) };
    if from == -1 || to == -1 {
        return Ok(PortRange::ALL);
    }
    let port =
        |number: i32| u16::try_from(number).map_err(|_| format!("EC2 gives {number} as a port"));
    Ok(PortRange { first: port(from)?, last: port(to)? })
}
