//! Ranges of IPv4 addresses, cut where a rule or a route begins or ends.
//!
//! Between two cuts all addresses meet the same rules, so that one of them speaks for all.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

/// Addresses from the first to the last, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressSpan {
    first: u32,
    last: u32,
}

/// What is not the internet.
///
/// Source: IANA IPv4 Special-Purpose Address Registry; multicast and what is reserved above it, RFC 1112.
const NOT_INTERNET: [(Ipv4Addr, u8); 13] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 3),
];

impl AddressSpan {
    /// One address.
    pub fn one(address: Ipv4Addr) -> Self {
        Self { first: address.to_bits(), last: address.to_bits() }
    }

    /// The lowest address: it speaks for a piece.
    pub fn first(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.first)
    }

    /// How many addresses.
    pub fn size(self) -> u64 {
        u64::from(self.last - self.first) + 1
    }

    /// This range, cut at the bounds of the prefixes.
    pub fn cut_at<'a>(self, prefixes: impl IntoIterator<Item = &'a Ipv4Net>) -> Vec<Self> {
        let mut starts = vec![self.first];
        for prefix in prefixes {
            let Self { first, last } = Self::from(*prefix);
            // A piece begins with a prefix, and behind one.
            starts.extend([Some(first), last.checked_add(1)].into_iter().flatten());
        }
        starts.retain(|start| (self.first..=self.last).contains(start));
        starts.sort_unstable();
        starts.dedup();
        let ends = starts.iter().skip(1).map(|next| next - 1).chain([self.last]);
        starts.iter().zip(ends).map(|(first, last)| Self { first: *first, last }).collect()
    }

    /// This range as one prefix, or by its bounds.
    pub fn shown(self) -> String {
        match self.first == self.last {
            true => self.first().to_string(),
            false => format!("{}-{}", self.first(), Ipv4Addr::from_bits(self.last)),
        }
    }
}

impl From<Ipv4Net> for AddressSpan {
    fn from(prefix: Ipv4Net) -> Self {
        Self { first: prefix.network().to_bits(), last: prefix.broadcast().to_bits() }
    }
}

/// The public addresses, in pieces that are cut at the bounds of these prefixes.
pub fn internet_cut_at(prefixes: &[Ipv4Net]) -> Vec<AddressSpan> {
    let apart: Vec<Ipv4Net> =
        NOT_INTERNET.iter().filter_map(|(start, len)| Ipv4Net::new(*start, *len).ok()).collect();
    let all = AddressSpan { first: 0, last: u32::MAX };
    let pieces = all.cut_at(apart.iter().chain(prefixes));
    let is_public = |piece: &AddressSpan| !apart.iter().any(|it| it.contains(&piece.first()));
    pieces.into_iter().filter(is_public).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_public(address: Ipv4Addr) -> bool {
        let apart = |(start, len): &(Ipv4Addr, u8)| {
            Ipv4Net::new(*start, *len).is_ok_and(|prefix| prefix.contains(&address))
        };
        !NOT_INTERNET.iter().any(apart)
    }

    #[test]
    fn a_range_is_cut_where_a_prefix_begins_and_ends() {
        let range = AddressSpan::from("10.0.0.0/16".parse::<Ipv4Net>().unwrap());
        let cuts = ["10.0.1.0/24", "10.0.0.0/8", "0.0.0.0/0", "192.168.0.0/16"];
        let cuts = cuts.map(|text| text.parse::<Ipv4Net>().unwrap());
        let shown: Vec<String> = range.cut_at(&cuts).iter().map(|it| it.shown()).collect();
        assert_eq!(shown, ["10.0.0.0-10.0.0.255", "10.0.1.0-10.0.1.255", "10.0.2.0-10.0.255.255"]);
        let sizes: u64 = range.cut_at(&cuts).iter().map(|it| it.size()).sum();
        assert_eq!(sizes, 65536);
    }

    #[test]
    fn the_internet_has_no_private_address() {
        let pieces = internet_cut_at(&["8.8.8.0/24".parse().unwrap()]);
        assert!(pieces.iter().all(|piece| is_public(piece.first())));
        assert!(pieces.iter().any(|piece| piece.first() == Ipv4Addr::new(8, 8, 8, 0)));
        assert!(
            !is_public(Ipv4Addr::new(172, 31, 0, 1)) && is_public(Ipv4Addr::new(172, 32, 0, 1))
        );
        let sizes: u64 = pieces.iter().map(|it| it.size()).sum();
        assert!(sizes > 3_600_000_000 && sizes < 3_720_000_000, "{sizes}");
    }
}
