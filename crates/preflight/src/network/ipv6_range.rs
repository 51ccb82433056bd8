//! The public addresses of IPv6, in pieces: between two cuts all addresses meet the same rules.

use std::net::Ipv6Addr;

use ipnet::{IpNet, Ipv6Net};

/// The addresses that are given out for the internet: `2000::/3`.
///
/// Source: IANA IPv6 Global Unicast Address Space.
const FIRST: Ipv6Addr = Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0);
const LAST: Ipv6Addr =
    Ipv6Addr::new(0x3fff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff);

/// The public addresses in pieces that are cut at the bounds of these prefixes: the lowest address of each
/// piece, which speaks for it, and how many addresses it has.
pub fn ipv6_internet_cut_at(prefixes: &[Ipv6Net]) -> Vec<(Ipv6Addr, u128)> {
    let (first, last) = (FIRST.to_bits(), LAST.to_bits());
    let mut starts = vec![first];
    for prefix in prefixes {
        starts.push(prefix.network().to_bits());
        starts.extend(prefix.broadcast().to_bits().checked_add(1));
    }
    starts.retain(|start| (first..=last).contains(start));
    starts.sort_unstable();
    starts.dedup();
    let ends = starts.iter().skip(1).map(|next| next - 1).chain([last]);
    let piece = |(start, end): (&u128, u128)| (Ipv6Addr::from_bits(*start), end - start + 1);
    starts.iter().zip(ends).map(piece).collect()
}

/// A prefix of IPv6.
pub fn v6(prefix: IpNet) -> Option<Ipv6Net> {
    match prefix {
        IpNet::V6(prefix) => Some(prefix),
        IpNet::V4(_) => None,
    }
}

/// Whether all addresses of a range are unique local ones (`fc00::/7`), which no packet in the internet has. Source:
/// RFC 4193.
pub fn is_unique_local(range: Ipv6Net) -> bool {
    range.prefix_len() >= 7 && range.network().is_unique_local()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_internet_of_ipv6_is_cut_where_a_prefix_begins_and_ends() {
        let prefixes = ["::/0", "2a00::/12", "fd00::/8"].map(|text| text.parse().unwrap());
        let pieces = ipv6_internet_cut_at(&prefixes);
        let starts: Vec<String> = pieces.iter().map(|(start, _)| start.to_string()).collect();
        assert_eq!(starts, ["2000::", "2a00::", "2a10::"]);
        assert_eq!(pieces.iter().map(|(_, size)| size).sum::<u128>(), 1 << 125);
    }
}
