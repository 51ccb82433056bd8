//! Ranges of addresses, as `10.0.1.0/24` or one address.

use std::net::IpAddr;
use std::str::FromStr;

/// All addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressRange {
    first: IpAddr,
    bits: u8,
}

impl AddressRange {
    /// Whether `address` is in the range.
    #[must_use]
    pub fn holds(&self, address: IpAddr) -> bool {
        let begins = |a: &[u8], b: &[u8]| {
            let (whole, rest) = (usize::from(self.bits / 8), self.bits % 8);
            let mask = !(0xff_u16 >> rest).to_le_bytes()[0];
            a[..whole] == b[..whole] && (rest == 0 || a[whole] & mask == b[whole] & mask)
        };
        match (self.first, address.to_canonical()) {
            (IpAddr::V4(a), IpAddr::V4(b)) => begins(&a.octets(), &b.octets()),
            (IpAddr::V6(a), IpAddr::V6(b)) => begins(&a.octets(), &b.octets()),
            _ => false,
        }
    }
}

impl FromStr for AddressRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || format!("{text:?} is no address and no range such as 10.0.1.0/24");
        let (first, bits) = match text.split_once('/') {
            Some((first, bits)) => (first, Some(bits)),
            None => (text, None),
        };
        let first = IpAddr::from_str(first).map_err(|_| refused())?.to_canonical();
        let most = if first.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Some(most), |bits| bits.parse().ok().filter(|bits| *bits <= most));
        Ok(Self { first, bits: bits.ok_or_else(refused)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_holds_what_begins_with_its_bits() {
        let holds = |range: &str, address: &str| {
            range.parse::<AddressRange>().unwrap().holds(address.parse().unwrap())
        };
        assert!(holds("10.0.1.0/24", "10.0.1.255") && !holds("10.0.1.0/24", "10.0.2.0"));
        assert!(holds("10.0.0.0/12", "10.15.0.1") && !holds("10.0.0.0/12", "10.16.0.1"));
        assert!(holds("10.0.0.1", "::ffff:10.0.0.1") && !holds("10.0.0.1", "10.0.0.2"));
        assert!(holds("fd00::/8", "fdff::1") && !holds("fd00::/8", "fe00::1"));
        assert!(holds("0.0.0.0/0", "8.8.8.8") && !holds("0.0.0.0/0", "::1"));
        for wrong in ["", "10.0.0.0/33", "10.0.0", "10.0.0.0/x", "::/129"] {
            assert!(wrong.parse::<AddressRange>().is_err(), "{wrong}");
        }
    }
}
