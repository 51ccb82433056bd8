//! The settings of one table, `[defaults]` or `[profile.NAME]`, as the file has them, and how one
//! table is laid over another.
//!
//! Each value is checked by itself. Whether the values fit each other is asked once the profile is
//! put together, in `fit`.

use std::collections::BTreeMap;

use fargate_model::size::{CPU_UNITS, allowed_memory_mib};
use toml::de::DeValue;

use crate::check::{self, Checked, Refusal, quoted};
use crate::keys::Section;
use crate::profile::{HostKey, Launch, Shell, StrategyItem};
use crate::reader::{Place, Placed, Reader, Table, kind};
use crate::timeouts::{Amount, Limits, TIMEOUT_KEYS, TimeoutKey};

/// Most subnets and security groups of a task. Source: Amazon ECS API Reference,
/// `AwsVpcConfiguration`.
pub(crate) const MAX_SUBNETS: usize = 16;
pub(crate) const MAX_SECURITY_GROUPS: usize = 5;

/// Most items of a strategy, and the limits of their numbers. Source: Amazon ECS API Reference,
/// `RunTask` and `CapacityProviderStrategyItem`.
pub(crate) const MAX_STRATEGY_ITEMS: usize = 20;
pub(crate) const MAX_WEIGHT: u32 = 1000;
pub(crate) const MAX_BASE: u32 = 100_000;

/// One table of settings; what it does not say is `None`.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    /// The profile's name; `None` for `[defaults]`.
    pub(crate) name: Option<String>,
    /// Its header.
    pub(crate) place: Place,
    pub(crate) cluster: Option<Placed<String>>,
    pub(crate) region: Option<Placed<String>>,
    pub(crate) subnets: Option<Placed<Vec<String>>>,
    pub(crate) security_groups: Option<Placed<Vec<String>>>,
    pub(crate) task_definition: Option<Placed<String>>,
    pub(crate) container: Option<Placed<String>>,
    /// `launch_type` or `capacity_provider_strategy`: one choice with two keys.
    pub(crate) launch: Option<Placed<Launch>>,
    pub(crate) platform_version: Option<Placed<String>>,
    pub(crate) cpu: Option<Placed<u32>>,
    pub(crate) memory: Option<Placed<u32>>,
    pub(crate) host_key: Option<Placed<HostKey>>,
    pub(crate) shell: Option<Placed<Shell>>,
    pub(crate) builds_dir: Option<Placed<String>>,
    pub(crate) cache_dir: Option<Placed<String>>,
    pub(crate) user: Option<Placed<String>>,
    pub(crate) port: Option<Placed<u32>>,
    pub(crate) timeouts: BTreeMap<&'static str, Placed<Amount>>,
    pub(crate) tags: BTreeMap<String, Placed<String>>,
}

impl Layer {
    /// A layer that says nothing.
    pub(crate) fn empty(name: Option<String>, place: Place) -> Self {
        Self {
            name,
            place,
            cluster: None,
            region: None,
            subnets: None,
            security_groups: None,
            task_definition: None,
            container: None,
            launch: None,
            platform_version: None,
            cpu: None,
            memory: None,
            host_key: None,
            shell: None,
            builds_dir: None,
            cache_dir: None,
            user: None,
            port: None,
            timeouts: BTreeMap::new(),
            tags: BTreeMap::new(),
        }
    }

    /// Reads a table of settings.
    pub(crate) fn read(reader: &mut Reader<'_>, table: &Table<'_>, name: Option<String>) -> Self {
        reader.unknown_keys(table, Section::Settings);
        let ssh = reader.table(table, "ssh");
        if let Some(ssh) = &ssh {
            reader.unknown_keys(ssh, Section::Ssh);
        }
        Self {
            name,
            place: table.place.clone(),
            cluster: reader.text(table, "cluster", check::cluster),
            region: reader.text(table, "region", check::region),
            subnets: reader.texts(table, "subnets", 1..=MAX_SUBNETS, check::subnet),
            security_groups: reader.texts(
                table,
                "security_groups",
                1..=MAX_SECURITY_GROUPS,
                check::security_group,
            ),
            task_definition: reader.text(table, "task_definition", check::task_definition),
            container: reader.text(table, "container", check::container),
            launch: launch(reader, table),
            platform_version: reader.text(table, "platform_version", check::platform_version),
            cpu: cpu(reader, table),
            memory: memory(reader, table),
            host_key: reader.text(table, "host_key", check::host_key),
            shell: reader.text(table, "shell", check::word),
            builds_dir: reader.text(table, "builds_dir", check::absolute_path),
            cache_dir: reader.text(table, "cache_dir", check::absolute_path),
            user: ssh.as_ref().and_then(|ssh| reader.text(ssh, "user", check::user)),
            port: ssh.as_ref().and_then(|ssh| reader.number(ssh, "port", 1..=u16::MAX.into())),
            timeouts: timeouts(reader, table),
            tags: tags(reader, table),
        }
    }

    /// This layer, and what it does not say from `base`; tables key by key, lists as a whole.
    pub(crate) fn over(mut self, base: Self) -> Self {
        let (mut timeouts, mut tags) = (base.timeouts, base.tags);
        timeouts.append(&mut self.timeouts);
        tags.append(&mut self.tags);
        Self {
            name: self.name,
            place: self.place,
            cluster: self.cluster.or(base.cluster),
            region: self.region.or(base.region),
            subnets: self.subnets.or(base.subnets),
            security_groups: self.security_groups.or(base.security_groups),
            task_definition: self.task_definition.or(base.task_definition),
            container: self.container.or(base.container),
            launch: self.launch.or(base.launch),
            platform_version: self.platform_version.or(base.platform_version),
            cpu: self.cpu.or(base.cpu),
            memory: self.memory.or(base.memory),
            host_key: self.host_key.or(base.host_key),
            shell: self.shell.or(base.shell),
            builds_dir: self.builds_dir.or(base.builds_dir),
            cache_dir: self.cache_dir.or(base.cache_dir),
            user: self.user.or(base.user),
            port: self.port.or(base.port),
            timeouts,
            tags,
        }
    }
}

fn launch(reader: &mut Reader<'_>, table: &Table<'_>) -> Option<Placed<Launch>> {
    let launch_type = reader.text(table, "launch_type", check::launch_type);
    let strategy = strategy(reader, table);
    if table.entries.contains_key("launch_type")
        && let Some((place, _)) = reader.value(table, "capacity_provider_strategy")
    {
        let rest = "stands beside `launch_type`, ECS takes one of the two";
        reader.report(&place, rest, Some("leave out `launch_type`".to_owned()));
    }
    let launch_type =
        launch_type.map(|given| Placed { value: Launch::Type(given.value), place: given.place });
    launch_type.or(strategy)
}

fn strategy(reader: &mut Reader<'_>, table: &Table<'_>) -> Option<Placed<Launch>> {
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
        let at = Place { line, key: place.key.clone() };
        let DeValue::Table(entries) = item.get_ref() else {
            let given = kind(item.get_ref());
            reader.report(
                &at,
                &format!("has {given} as item {number}, {expected} is expected"),
                None,
            );
            continue;
        };
        let Some(item) = strategy_item(reader, &Table { entries, place: at.clone() }) else {
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
    (reader.problems.len() == before).then_some(Placed { value: Launch::Strategy(strategy), place })
}

fn strategy_item(reader: &mut Reader<'_>, table: &Table<'_>) -> Option<StrategyItem> {
    reader.unknown_keys(table, Section::StrategyItem);
    let provider = reader.text(table, "provider", check::provider);
    if !table.entries.contains_key("provider") {
        let hint = Section::StrategyItem.example("provider");
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

fn strategy_as_a_whole(reader: &mut Reader<'_>, place: &Place, strategy: &[StrategyItem]) {
    if strategy.iter().all(|item| item.weight == 0) {
        let hint = "one item needs a `weight` of 1 or more".to_owned();
        reader.report(place, "has only weights of 0, so that no task would run", Some(hint));
    }
    if strategy.iter().filter(|item| item.base > 0).count() > 1 {
        reader.report(place, "has two items with a `base`, ECS takes one", None);
    }
}

fn cpu(reader: &mut Reader<'_>, table: &Table<'_>) -> Option<Placed<u32>> {
    let allowed: Vec<_> = CPU_UNITS.iter().map(u32::to_string).collect();
    let expected = format!("one of the numbers {}", allowed.join(", "));
    reader.whole(table, "cpu", &expected, |n| CPU_UNITS.contains(&n).then_some(()).ok_or(None))
}

fn memory(reader: &mut Reader<'_>, table: &Table<'_>) -> Option<Placed<u32>> {
    let mut offered: Vec<u32> =
        CPU_UNITS.iter().filter_map(|&cpu| allowed_memory_mib(cpu)).flatten().collect();
    offered.sort_unstable();
    let (least, most) = (*offered.first()?, *offered.last()?);
    let expected = format!("a number of MiB that Fargate offers, from {least} to {most},");
    reader.whole(table, "memory", &expected, |n| match offered.binary_search(&n) {
        Ok(_) => Ok(()),
        Err(above) => {
            let nearest = offered.get(above).copied().unwrap_or(most);
            Err(Some(format!("`memory = {nearest}`")))
        }
    })
}

fn timeouts(reader: &mut Reader<'_>, table: &Table<'_>) -> BTreeMap<&'static str, Placed<Amount>> {
    let Some(table) = reader.table(table, "timeouts") else { return BTreeMap::new() };
    reader.unknown_keys(&table, Section::Timeouts);
    let given =
        TIMEOUT_KEYS.iter().filter_map(|key| Some((key.name, timeout(reader, &table, key)?)));
    given.collect()
}

fn timeout(reader: &mut Reader<'_>, table: &Table<'_>, key: &TimeoutKey) -> Option<Placed<Amount>> {
    let (min, max) = match key.limits {
        Limits::Count(min, max) => {
            let given = reader.number(table, key.name, min..=max)?;
            return Some(Placed { value: Amount::Count(given.value), place: given.place });
        }
        Limits::Span(min, max) | Limits::Seconds(min, max) => (min, max),
    };
    let limits = format!("{} to {}", Amount::Span(min), Amount::Span(max));
    let (place, value) = reader.value(table, key.name)?;
    if !value.get_ref().is_str() {
        let unit = value.get_ref().as_integer().map(|n| format!("write the unit: `\"{n}s\"`"));
        let is = kind(value.get_ref());
        let rest = format!("is {is}, a duration from {limits} in quotes is expected");
        reader.report(&place, &rest, unit);
        return None;
    }
    reader.text(table, key.name, |given| span(given, key.limits, &limits))
}

fn span(given: &str, limits: Limits, allowed: &str) -> Checked<Amount> {
    let Ok(span) = humantime::parse_duration(given) else {
        let refusal = Refusal::new(format!("a duration from {allowed} is expected"));
        return Err(
            refusal.hint("a number and its unit, such as `\"200ms\"`, `\"30s\"` or `\"1h 30m\"`")
        );
    };
    let (Limits::Span(min, max) | Limits::Seconds(min, max)) = limits else {
        return Err(Refusal::new("a number is expected"));
    };
    if !(min..=max).contains(&span) {
        return Err(Refusal::new(format!("allowed is {allowed}")));
    }
    if matches!(limits, Limits::Seconds(..)) && span.subsec_nanos() != 0 {
        return Err(Refusal::new(format!("whole seconds are expected, {allowed}")));
    }
    Ok(Amount::Span(span))
}

fn tags(reader: &mut Reader<'_>, table: &Table<'_>) -> BTreeMap<String, Placed<String>> {
    let Some(table) = reader.table(table, "tags") else { return BTreeMap::new() };
    let mut tags = BTreeMap::new();
    for key in table.entries.keys() {
        let name: &str = key.get_ref();
        let place = reader.place(&table, name, key.span().start);
        if let Err(refusal) = check::tag_key(name) {
            let rest = format!("has a name that no tag may have: {}", refusal.allowed);
            reader.report(&place, &rest, refusal.hint);
            continue;
        }
        if let Some(value) = reader.text(&table, name, check::tag_value) {
            tags.insert(name.to_owned(), value);
        }
    }
    tags
}
