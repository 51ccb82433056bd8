//! What becomes of packets to many addresses, and what most of these meet.

/// What becomes of packets to an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddressFate<L, U> {
    /// They get there.
    Reached,
    /// They are lost, for this reason.
    Lost(L),
    /// Nobody knows, for this reason.
    Unseen(U),
}

/// Fates, each with the number of its addresses.
#[derive(Debug)]
pub struct AddressReasons<L, U> {
    fates: Vec<(u128, AddressFate<L, U>)>,
}

impl<L, U> Default for AddressReasons<L, U> {
    fn default() -> Self {
        Self { fates: Vec::new() }
    }
}

impl<L: PartialEq, U: PartialEq> AddressReasons<L, U> {
    /// Adds so many addresses with this fate.
    pub fn add(&mut self, weight: u128, fate: AddressFate<L, U>) {
        match self.fates.iter_mut().find(|(_, known)| *known == fate) {
            Some((sum, _)) => *sum += weight,
            None => self.fates.push((weight, fate)),
        }
    }

    /// How many addresses are reached.
    pub fn reached(&self) -> u128 {
        let reached = self.fates.iter().find(|(_, fate)| *fate == AddressFate::Reached);
        reached.map_or(0, |(sum, _)| *sum)
    }

    /// The fate of all as a whole: reached if half of them are, or if there is no address; else the reason that
    /// most of the others share. Of two that weigh the same, the one that claims less.
    pub fn of_most(self) -> AddressFate<L, U> {
        let all: u128 = self.fates.iter().map(|(sum, _)| sum).sum();
        if self.reached() * 2 >= all {
            return AddressFate::Reached;
        }
        let others = self.fates.into_iter().filter(|(_, fate)| *fate != AddressFate::Reached);
        let heaviest =
            others.max_by_key(|(sum, fate)| (*sum, matches!(fate, AddressFate::Unseen(_))));
        heaviest.map_or(AddressFate::Reached, |(_, fate)| fate)
    }
}

#[cfg(test)]
mod tests {
    use super::AddressFate::{Lost, Reached, Unseen};
    use super::*;

    fn of_most(fates: &[(u128, AddressFate<u8, u8>)]) -> AddressFate<u8, u8> {
        let mut reasons = AddressReasons::default();
        fates.iter().cloned().for_each(|(weight, fate)| reasons.add(weight, fate));
        reasons.of_most()
    }

    #[test]
    fn half_of_the_addresses_are_enough_and_else_the_heaviest_reason_counts() {
        assert_eq!(of_most(&[]), Reached);
        assert_eq!(of_most(&[(2, Lost(1)), (2, Reached)]), Reached);
        assert_eq!(of_most(&[(3, Lost(1)), (2, Reached), (1, Unseen(1))]), Lost(1));
        assert_eq!(of_most(&[(2, Lost(1)), (3, Lost(2)), (2, Lost(1))]), Lost(1));
        assert_eq!(of_most(&[(2, Unseen(1)), (2, Lost(1))]), Unseen(1));
    }
}
