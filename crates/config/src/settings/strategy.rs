//! One item of `capacity_provider_strategy`, and what the items must be together.

use crate::check::{self, ValueRefusal};
use crate::row::{number, text};
use crate::table::{settings_table, table_field};
use crate::value::SettingsTable;

/// Most items of a strategy, and the limits of their numbers. Source: Amazon ECS API Reference,
/// `RunTask` and `CapacityProviderStrategyItem`.
pub(super) const MAX_STRATEGY_ITEMS: usize = 20;
const MAX_WEIGHT: u32 = 1000;
const MAX_BASE: u32 = 100_000;

settings_table! {
    /// One share of a capacity provider strategy.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct StrategyItem {
        /// `FARGATE` or `FARGATE_SPOT`.
        pub provider: String = text(check::provider).example("\"FARGATE_SPOT\""),
        /// Relative share of the tasks beyond `base`.
        pub weight: u32 = number(0, MAX_WEIGHT).or_number(1),
        /// How many tasks run here before weights count.
        pub base: u32 = number(0, MAX_BASE).or_number(0),
    }
}

table_field!(StrategyItem);

/// What ECS would refuse in the list as a whole.
pub(super) fn check_strategy(items: &[SettingsTable]) -> Vec<ValueRefusal> {
    let items: Vec<_> = items.iter().filter_map(StrategyItem::from_values).collect();
    let mut refused = Vec::new();
    if items.iter().all(|item| item.weight == 0) {
        let refusal = ValueRefusal::new("has only weights of 0, so that no task would run");
        refused.push(refusal.hint("one item needs a `weight` of 1 or more"));
    }
    if items.iter().filter(|item| item.base > 0).count() > 1 {
        refused.push(ValueRefusal::new("has two items with a `base`, ECS takes one"));
    }
    refused
}
