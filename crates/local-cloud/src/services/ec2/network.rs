//! Subnets and security groups: which exist, and in which zone. They have no routes and no rules. Every
//! Region has the same ones.

use std::collections::BTreeMap;

use crate::backend::container::SubnetAddressFamily;
use crate::seed::{IPV6_SUBNET, SECURITY_GROUP, SUBNETS};

/// The network of one Region; all of it is one VPC.
#[derive(Clone, Debug, Default)]
pub struct RegionNetwork {
    /// By id.
    subnets: BTreeMap<String, CloudSubnet>,
    security_groups: Vec<String>,
    /// Every well-formed id exists.
    open: bool,
}

/// A subnet in which tasks are placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudSubnet {
    pub subnet: String,
    /// The last letter of the availability zone.
    pub zone: char,
    pub family: SubnetAddressFamily,
}

impl CloudSubnet {
    /// The names by which fault rules know it in `region`: the subnet and the availability zone.
    pub fn named(&self, region: &str) -> [String; 2] {
        [self.subnet.clone(), format!("{region}{}", self.zone)]
    }
}

impl RegionNetwork {
    /// A network in which every well-formed id exists.
    pub fn open() -> Self {
        Self { open: true, ..Self::default() }
    }

    /// The network that a cloud starts with, unless it starts empty.
    pub fn furnished() -> Self {
        let mut network = Self::default();
        for (subnet, zone) in SUBNETS.iter().zip(['a', 'b']) {
            network.add_subnet(subnet, zone, SubnetAddressFamily::Four);
        }
        network.add_subnet(IPV6_SUBNET, 'a', SubnetAddressFamily::Six);
        network.add_security_group(SECURITY_GROUP);
        network
    }

    pub fn add_subnet(&mut self, id: &str, zone: char, family: SubnetAddressFamily) {
        let subnet = CloudSubnet { subnet: id.to_owned(), zone, family };
        self.subnets.insert(id.to_owned(), subnet);
    }

    /// The subnets of these ids, or all subnets without ids. The error is the first unknown id.
    pub fn subnets(&self, ids: &[String]) -> Result<Vec<CloudSubnet>, String> {
        if ids.is_empty() {
            return Ok(self.subnets.values().cloned().collect());
        }
        ids.iter().map(|id| self.subnet(id).ok_or_else(|| id.clone())).collect()
    }

    pub fn add_security_group(&mut self, id: &str) {
        self.security_groups.push(id.to_owned());
    }

    /// Whether the security group exists.
    pub fn has_security_group(&self, id: &str) -> bool {
        let known = self.security_groups.iter().any(|known| known == id);
        known || self.open && is_id(id, "sg-")
    }

    /// The subnet, if it exists.
    pub fn subnet(&self, subnet: &str) -> Option<CloudSubnet> {
        let open = || {
            // The id decides on one of three zones, so a subnet is always in the same zone.
            let sum: u32 = subnet.bytes().map(u32::from).sum();
            let zone = ['a', 'b', 'c'][usize::try_from(sum % 3).expect("0 to 2")];
            CloudSubnet { subnet: subnet.to_owned(), zone, family: SubnetAddressFamily::Four }
        };
        let known = self.subnets.get(subnet).cloned();
        known.or_else(|| (self.open && is_id(subnet, "subnet-")).then(open))
    }
}

/// Whether an id is `prefix` and 8 or 17 hexadecimal digits.
pub fn is_id(text: &str, prefix: &str) -> bool {
    let digits = text.strip_prefix(prefix).unwrap_or_default();
    [8, 17].contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit())
}
