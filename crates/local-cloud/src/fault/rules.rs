//! Rules in an order. Reading them is the matter of `fault_language`.

use std::fmt;

use super::rule::FaultRule;

/// Rules in their order. Of those that strike one call, the first one counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FaultRules(pub(crate) Vec<FaultRule>);

impl FaultRules {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// There is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The rules, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &FaultRule> {
        self.0.iter()
    }
}

/// One line for each.
impl fmt::Display for FaultRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|rule| writeln!(f, "{rule}"))
    }
}
