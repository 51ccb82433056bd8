//! Private addresses: every subnet is a block 127.80.N.0/24 of the loopback network, so that a
//! task's address can be reached on this machine and on no other.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// Host numbers of a block. AWS keeps the first four and the last of each subnet.
///
/// Source: Amazon VPC User Guide, "Subnet CIDR blocks".
const HOSTS: std::ops::RangeInclusive<u8> = 4..=254;
/// Blocks there are.
const BLOCKS: std::ops::RangeInclusive<u8> = 1..=254;

/// The blocks of all subnets, each given away at the first use of its subnet.
#[derive(Debug, Default)]
pub struct Blocks {
    blocks: BTreeMap<(String, String), Block>,
}

#[derive(Debug)]
struct Block {
    number: u8,
    last: u8,
    taken: BTreeSet<u8>,
}

impl Blocks {
    /// A free address of the subnet, or `None` when it is full (or there are no more blocks).
    ///
    /// It goes round the block, so that an address comes again as late as possible.
    pub fn take(&mut self, region: &str, subnet: &str) -> Option<Ipv4Addr> {
        let key = (region.to_owned(), subnet.to_owned());
        if !self.blocks.contains_key(&key) {
            let number = BLOCKS.clone().nth(self.blocks.len())?;
            let block = Block { number, last: *HOSTS.end(), taken: BTreeSet::new() };
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

    /// Gives an address back.
    pub fn give_back(&mut self, address: Ipv4Addr) {
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
        let mut blocks = Blocks::default();
        let first = blocks.take("r", "a").expect("room");
        assert_eq!(first, Ipv4Addr::new(127, 80, 1, 4));
        blocks.give_back(first);
        let mut seen = BTreeSet::from([first]);
        for _ in 1..251 {
            let address = blocks.take("r", "a").expect("room");
            assert!(seen.insert(address), "{address} came too early");
        }
        assert_eq!(blocks.take("r", "a"), Some(first));
        assert_eq!(blocks.take("r", "a"), None, "251 addresses, as in a real /24");
        assert_eq!(blocks.take("r", "b"), Some(Ipv4Addr::new(127, 80, 2, 4)));
        assert_eq!(blocks.take("other", "a"), Some(Ipv4Addr::new(127, 80, 3, 4)));
    }
}
