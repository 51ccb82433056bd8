//! Addresses of the loopback network for tasks. Every subnet is a block 127.80.N.0/24, so that only this
//! machine can reach a task. IPv6 has a single loopback address, so a subnet of that family has room for
//! one task.
//!
//! Processes listen at these addresses. A container has an address of its engine's network, and here
//! only its place in the subnet.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::backend::container::SubnetAddressFamily;

/// Host numbers of a block. AWS keeps the first four and the last of each subnet.
///
/// Source: Amazon VPC User Guide, "Subnet CIDR blocks".
const HOSTS: std::ops::RangeInclusive<u8> = 4..=254;
/// The numbers of all blocks.
const BLOCKS: std::ops::RangeInclusive<u8> = 1..=254;

/// The public address that belongs to an address of a block, in 127.`network`.0.0/16.
pub fn public_address_of(taken: IpAddr, network: u8) -> Option<Ipv4Addr> {
    let IpAddr::V4(taken) = taken else { return None };
    let [_, _, number, host] = taken.octets();
    Some(Ipv4Addr::new(127, network, number, host))
}

/// The blocks of all subnets. A subnet gets its block when it is first used.
#[derive(Debug, Default)]
pub struct AddressBlocks {
    blocks: BTreeMap<(String, String), AddressBlock>,
    six_taken: bool,
}

#[derive(Debug)]
struct AddressBlock {
    number: u8,
    last: u8,
    taken: BTreeSet<u8>,
}

impl AddressBlocks {
    /// A free address of the subnet, or `None` when it is full (or there are no more blocks).
    ///
    /// It takes the addresses of a block in turn, so that an address is reused as late as possible.
    pub fn take(
        &mut self,
        region: &str,
        subnet: &str,
        family: SubnetAddressFamily,
    ) -> Option<IpAddr> {
        match family {
            SubnetAddressFamily::Four => self.take_four(region, subnet).map(IpAddr::V4),
            SubnetAddressFamily::Six => {
                let free = !std::mem::replace(&mut self.six_taken, true);
                free.then_some(IpAddr::V6(Ipv6Addr::LOCALHOST))
            }
        }
    }

    fn take_four(&mut self, region: &str, subnet: &str) -> Option<Ipv4Addr> {
        let key = (region.to_owned(), subnet.to_owned());
        if !self.blocks.contains_key(&key) {
            let number = BLOCKS.clone().nth(self.blocks.len())?;
            let block = AddressBlock { number, last: *HOSTS.end(), taken: BTreeSet::new() };
            self.blocks.insert(key.clone(), block);
        }
        let block = self.blocks.get_mut(&key).expect("put there above");
        let after = HOSTS.filter(|&host| host > block.last);
        let before = HOSTS.filter(|&host| host <= block.last);
        let host = after.chain(before).find(|host| !block.taken.contains(host))?;
        block.taken.insert(host);
        block.last = host;
        Some(Ipv4Addr::new(127, 80, block.number, host))
    }

    /// Makes an address free again.
    pub fn give_back(&mut self, address: IpAddr) {
        let IpAddr::V4(address) = address else {
            self.six_taken = false;
            return;
        };
        let [_, _, number, host] = address.octets();
        if let Some(block) = self.blocks.values_mut().find(|block| block.number == number) {
            block.taken.remove(&host);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_unique_while_taken_and_comes_again_only_after_a_round() {
        let mut blocks = AddressBlocks::default();
        let take = |blocks: &mut AddressBlocks, subnet| {
            blocks.take("r", subnet, SubnetAddressFamily::Four)
        };
        let first = take(&mut blocks, "a").expect("room");
        assert_eq!(first, IpAddr::from([127, 80, 1, 4]));
        assert_eq!(public_address_of(first, 81), Some(Ipv4Addr::new(127, 81, 1, 4)));
        blocks.give_back(first);
        let mut seen = BTreeSet::from([first]);
        for _ in 1..251 {
            let address = take(&mut blocks, "a").expect("room");
            assert!(seen.insert(address), "{address} came too early");
        }
        assert_eq!(take(&mut blocks, "a"), Some(first));
        assert_eq!(take(&mut blocks, "a"), None, "251 addresses, as in a real /24");
        assert_eq!(take(&mut blocks, "b"), Some(IpAddr::from([127, 80, 2, 4])));
        let other = blocks.take("other", "a", SubnetAddressFamily::Four);
        assert_eq!(other, Some(IpAddr::from([127, 80, 3, 4])));
    }

    #[test]
    fn there_is_one_ipv6_address_and_it_comes_again_once_given_back() {
        let mut blocks = AddressBlocks::default();
        let six = blocks.take("r", "six", SubnetAddressFamily::Six).expect("room");
        assert_eq!((six, public_address_of(six, 81)), (IpAddr::V6(Ipv6Addr::LOCALHOST), None));
        assert_eq!(blocks.take("other", "six", SubnetAddressFamily::Six), None);
        blocks.give_back(six);
        assert_eq!(blocks.take("r", "six", SubnetAddressFamily::Six), Some(six));
    }
}
