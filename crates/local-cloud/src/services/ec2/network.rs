//! The networks of a cloud as its services look at them: which subnets and groups exist. Every Region has the
//! same ones.

use std::sync::{Mutex, MutexGuard};

use crate::backend::container::SubnetAddressFamily;
use crate::network::{CloudNetwork, CloudSubnet};
use crate::seed::VPC;

/// The networks of each Region.
#[derive(Debug, Default)]
pub struct RegionNetwork {
    described: Mutex<CloudNetwork>,
    /// Every well-formed id exists.
    open: bool,
}

impl RegionNetwork {
    /// A network in which every well-formed id of a subnet or a security group exists.
    pub fn open() -> Self {
        Self { open: true, ..Self::default() }
    }

    /// A network with exactly what is described.
    pub fn described_by(described: CloudNetwork) -> Self {
        Self { described: Mutex::new(described), open: false }
    }

    /// What is described, to read or change it under the lock.
    pub fn described(&self) -> MutexGuard<'_, CloudNetwork> {
        self.described.lock().expect("no one panics while holding the network")
    }

    /// Whether the security group exists.
    pub fn has_security_group(&self, id: &str) -> bool {
        let known = self.described().security_groups.iter().any(|known| known.id == id);
        known || self.open && is_id(id, "sg-")
    }

    /// The subnet, if it exists.
    pub fn subnet(&self, subnet: &str) -> Option<CloudSubnet> {
        let open = || {
            // The id decides on one of three zones, so a subnet is always in the same zone.
            let sum: u32 = subnet.bytes().map(u32::from).sum();
            let zone = ['a', 'b', 'c'][usize::try_from(sum % 3).expect("0 to 2")];
            CloudSubnet::new(subnet, VPC, zone, "10.1.0.0/24")
        };
        let known = self.described().subnets.iter().find(|known| known.subnet == subnet).cloned();
        known.or_else(|| (self.open && is_id(subnet, "subnet-")).then(open))
    }
}

impl CloudSubnet {
    /// Whether its tasks have IPv6 addresses only.
    pub(crate) fn is_ipv6_only(&self) -> bool {
        self.family == SubnetAddressFamily::Six
    }
}

/// Whether an id is `prefix` and 8 or 17 hexadecimal digits.
pub fn is_id(text: &str, prefix: &str) -> bool {
    let digits = text.strip_prefix(prefix).unwrap_or_default();
    [8, 17].contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit())
}
