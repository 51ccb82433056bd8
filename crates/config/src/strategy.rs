//! On what tasks run: `launch_type`, or `capacity_provider_strategy` with its items.

use toml::de::DeValue;

use crate::check::{self, CheckResult, quoted};
use crate::keys::ConfigSection;
use crate::profile::{LaunchMode, LaunchType, StrategyItem, words};
use crate::reader::{ConfigReader, ConfigTable, KeyLocation, LocatedValue, kind};

/// Most items of a strategy, and the limits of their numbers. Source: Amazon ECS API Reference,
/// `RunTask` and `CapacityProviderStrategyItem`.
const MAX_STRATEGY_ITEMS: usize = 20;
const MAX_WEIGHT: u32 = 1000;
const MAX_BASE: u32 = 100_000;

words! {
    /// What `launch_type` may be.
    LaunchWord {
        /// That launch type.
        Fargate = "FARGATE",
        /// Neither type nor strategy.
        Cluster = "CLUSTER",
    }
}

impl From<LaunchWord> for LaunchMode {
    fn from(word: LaunchWord) -> Self {
        match word {
            LaunchWord::Fargate => Self::Type(LaunchType::Fargate),
            LaunchWord::Cluster => Self::ClusterDefault,
        }
    }
}

/// `launch_type` or `capacity_provider_strategy`: one choice with two keys.
pub(crate) fn launch(
    reader: &mut ConfigReader<'_>,
    table: &ConfigTable<'_>,
) -> Option<LocatedValue<LaunchMode>> {
    let launch_type = reader.text(table, "launch_type", launch_type);
    let strategy = strategy(reader, table);
    if let Some((other, _)) = reader.value(table, "launch_type")
        && let Some((place, _)) = reader.value(table, "capacity_provider_strategy")
    {
        let other = other.own_name();
        let rest = format!("stands beside `{other}`, ECS takes one of the two");
        reader.report(&place, &rest, Some(format!("leave out `{other}`")));
    }
    launch_type.or(strategy)
}

fn launch_type(given: &str) -> CheckResult<LaunchMode> {
    check::word::<LaunchWord>(given).map(LaunchMode::from).map_err(|refusal| match given {
        "FARGATE_SPOT" => refusal.hint(
            "Spot is a provider: \
             `capacity_provider_strategy = [{ provider = \"FARGATE_SPOT\" }]`",
        ),
        "EC2" | "EXTERNAL" | "MANAGED_INSTANCES" => {
            refusal.hint("jobs on shared instances could take each other's roles")
        }
        _ => refusal,
    })
}

fn strategy(
    reader: &mut ConfigReader<'_>,
    table: &ConfigTable<'_>,
) -> Option<LocatedValue<LaunchMode>> {
    let name = "capacity_provider_strategy";
    let (place, value) = reader.value(table, name)?;
    let expected = format!("a list of 1 to {MAX_STRATEGY_ITEMS} tables");
    let Some(items) = value.get_ref().as_array() else {
        reader.wrong_kind(&place, value.get_ref(), &expected);
        return None;
    };
    if !(1..=MAX_STRATEGY_ITEMS).contains(&items.len()) {
        let rest = format!("has {} items, {expected} is expected", items.len());
        reader.report(&place, &rest, None);
        return None;
    }
    let before = reader.problems.len();
    let mut strategy: Vec<StrategyItem> = Vec::with_capacity(items.len());
    for (number, item) in (1..).zip(items) {
        let line = Some(reader.line(item.span().start));
        let at = KeyLocation { line, key: place.key.clone() };
        let DeValue::Table(entries) = item.get_ref() else {
            let given = kind(item.get_ref());
            reader.report(
                &at,
                &format!("has {given} as item {number}, {expected} is expected"),
                None,
            );
            continue;
        };
        let Some(item) = strategy_item(reader, &ConfigTable { entries, place: at.clone() }) else {
            continue;
        };
        if strategy.iter().any(|former| former.provider == item.provider) {
            reader.report(&at, &format!("has {} twice", quoted(&item.provider)), None);
        }
        strategy.push(item);
    }
    if reader.problems.len() == before {
        strategy_as_a_whole(reader, &place, &strategy);
    }
    (reader.problems.len() == before)
        .then_some(LocatedValue { value: LaunchMode::Strategy(strategy), place })
}

fn strategy_item(reader: &mut ConfigReader<'_>, table: &ConfigTable<'_>) -> Option<StrategyItem> {
    reader.unknown_keys(table, ConfigSection::StrategyItem);
    let provider = reader.text(table, "provider", check::provider);
    if reader.value(table, "provider").is_none() {
        let hint = ConfigSection::StrategyItem.example("provider");
        reader.report(
            &table.place,
            "has an item without `provider`",
            hint.map(|h| format!("`{h}`")),
        );
    }
    let weight = reader.number(table, "weight", 0..=MAX_WEIGHT).map_or(1, |given| given.value);
    let base = reader.number(table, "base", 0..=MAX_BASE).map_or(0, |given| given.value);
    Some(StrategyItem { provider: provider?.value, weight, base })
}

fn strategy_as_a_whole(
    reader: &mut ConfigReader<'_>,
    place: &KeyLocation,
    strategy: &[StrategyItem],
) {
    if strategy.iter().all(|item| item.weight == 0) {
        let hint = "one item needs a `weight` of 1 or more".to_owned();
        reader.report(place, "has only weights of 0, so that no task would run", Some(hint));
    }
    if strategy.iter().filter(|item| item.base > 0).count() > 1 {
        reader.report(place, "has two items with a `base`, ECS takes one", None);
    }
}
