//! Reads a table of the file by the rows of the settings table, with the tables and lists below it.
//!
//! Each value is checked by itself. Whether the values fit each other is asked once the layers of a
//! profile are put together, in `conflicts`.

use std::ops::RangeInclusive;
use std::time::Duration;

use toml::Spanned;
use toml::de::DeValue;

use crate::check::{CheckResult, ValueRefusal, quoted};
use crate::reader::{ConfigReader, ConfigTable, kind};
use crate::table::{SettingKey, SettingKind, SettingSection, TableList, TextCheck, limits_of_time};
use crate::value::{KeyLocation, LocatedValue, SettingValue, SettingsTable};

impl ConfigReader<'_> {
    /// Reads the table of a section, and reports the keys that the section does not have.
    pub(crate) fn settings(
        &mut self,
        table: &ConfigTable<'_>,
        section: &SettingSection,
    ) -> SettingsTable {
        self.unknown_keys(table, section.name);
        self.values_of(table, section.keys)
    }

    /// Reads the values of these keys, whatever else is in the table.
    pub(crate) fn values_of<'k>(
        &mut self,
        table: &ConfigTable<'_>,
        keys: impl IntoIterator<Item = &'k SettingKey>,
    ) -> SettingsTable {
        let mut values = SettingsTable::default();
        for key in keys {
            if let Some(value) = self.setting(table, key) {
                values.set(key.name, value);
            }
            self.not_beside(table, key);
        }
        values
    }

    /// Reads the value of one key; what is wrong with it is reported.
    fn setting(
        &mut self,
        table: &ConfigTable<'_>,
        key: &SettingKey,
    ) -> Option<LocatedValue<SettingValue>> {
        let name = key.name;
        match key.kind {
            SettingKind::Text(check) => {
                self.text(table, name, |given| check(given).map(SettingValue::Text))
            }
            SettingKind::Path(check) => self.text(table, name, |given| {
                check(given).map(|path| SettingValue::Path(path.into()))
            }),
            SettingKind::Flag => Some(self.flag(table, name)?.map(SettingValue::Flag)),
            SettingKind::Number(min, max) => {
                Some(self.number(table, name, min..=max)?.map(SettingValue::Number))
            }
            SettingKind::Offered(offered) => {
                let expected = (offered.expected)();
                let given = self.whole(table, name, &expected, offered.check)?;
                Some(given.map(SettingValue::Number))
            }
            SettingKind::Time(min, max) => self.time(table, name, &(min..=max), false),
            SettingKind::Seconds(min, max) => self.time(table, name, &(min..=max), true),
            SettingKind::Texts(min, max, check) => {
                let texts = self.texts(table, name, min..=max, check)?;
                let items =
                    |texts: Vec<String>| texts.into_iter().map(SettingValue::Text).collect();
                Some(texts.map(|texts| SettingValue::List(items(texts))))
            }
            SettingKind::Table(section) => {
                let below = self.table(table, name)?;
                let value = SettingValue::Table(self.settings(&below, section));
                Some(LocatedValue { value, place: below.place })
            }
            SettingKind::Tables(list) => self.tables(table, name, list),
            SettingKind::FreeTable(name_check, value_check) => {
                self.free_table(table, name, name_check, value_check)
            }
        }
    }

    /// Reports a key that stands beside the one it is given instead of.
    fn not_beside(&mut self, table: &ConfigTable<'_>, key: &SettingKey) {
        let Some((other, why)) = key.instead_of else { return };
        if let Some((place, _)) = self.value(table, key.name)
            && let Some((other, _)) = self.value(table, other)
        {
            let other = other.own_name();
            let rest = format!("stands beside `{other}`, {why}");
            self.report(&place, &rest, Some(format!("leave out `{other}`")));
        }
    }

    fn time(
        &mut self,
        table: &ConfigTable<'_>,
        name: &str,
        limits: &RangeInclusive<Duration>,
        whole_seconds: bool,
    ) -> Option<LocatedValue<SettingValue>> {
        let (place, value) = self.value(table, name)?;
        if !value.get_ref().is_str() {
            let unit = value.get_ref().as_integer().map(|n| format!("write the unit: `\"{n}s\"`"));
            let (is, allowed) = (kind(value.get_ref()), limits_of_time(limits));
            let rest = format!("is {is}, a duration from {allowed} in quotes is expected");
            self.report(&place, &rest, unit);
            return None;
        }
        self.text(table, name, |given| check_time(given, limits, whole_seconds))
    }

    fn tables(
        &mut self,
        table: &ConfigTable<'_>,
        name: &str,
        list: TableList,
    ) -> Option<LocatedValue<SettingValue>> {
        let (place, value) = self.value(table, name)?;
        let expected = format!("a list of {} to {} tables", list.min, list.max);
        let Some(items) = value.get_ref().as_array() else {
            self.wrong_kind(&place, value.get_ref(), &expected);
            return None;
        };
        if !(list.min..=list.max).contains(&items.len()) {
            let rest = format!("has {} items, {expected} is expected", items.len());
            self.report(&place, &rest, None);
            return None;
        }
        let before = self.problems.len();
        let mut read: Vec<SettingsTable> = Vec::with_capacity(items.len());
        for (number, item) in (1..).zip(items) {
            let line = Some(self.line(item.span().start));
            let at = KeyLocation { line, key: place.key.clone() };
            let DeValue::Table(entries) = item.get_ref() else {
                let given = kind(item.get_ref());
                let rest = format!("has {given} as item {number}, {expected} is expected");
                self.report(&at, &rest, None);
                continue;
            };
            let item = self.table_item(&ConfigTable { entries, place: at.clone() }, list.section);
            if let Some(name) = name_of_item(&item, list.section)
                && read.iter().any(|former| name_of_item(former, list.section) == Some(name))
            {
                self.report(&at, &format!("has {} twice", quoted(name)), None);
            }
            read.push(item);
        }
        if self.problems.len() == before {
            for refusal in (list.check)(&read) {
                self.report(&place, &refusal.allowed, refusal.hint);
            }
        }
        let value = SettingValue::List(read.into_iter().map(SettingValue::Table).collect());
        (self.problems.len() == before).then_some(LocatedValue { value, place })
    }

    /// One item of a list of tables. A list is not merged with another, so the defaults are filled in
    /// here.
    fn table_item(&mut self, table: &ConfigTable<'_>, section: &SettingSection) -> SettingsTable {
        let mut item = self.settings(table, section);
        for key in section.keys {
            if key.is_required() && self.value(table, key.name).is_none() {
                let example = key.example_value().map(|value| format!("`{} = {value}`", key.name));
                self.report(&table.place, &format!("has an item without `{}`", key.name), example);
            }
            if let Some(value) = key.default_value() {
                item.set_if_absent(key.name, || LocatedValue::implied(value));
            }
        }
        item
    }

    pub(crate) fn free_table(
        &mut self,
        table: &ConfigTable<'_>,
        name: &str,
        name_check: TextCheck,
        value_check: TextCheck,
    ) -> Option<LocatedValue<SettingValue>> {
        let below = self.table(table, name)?;
        let mut values = SettingsTable::default();
        // The names are the operator's own: they are never compared loosely.
        for (key, value) in below.entries {
            let name: &str = key.get_ref();
            let place = self.place(&below, name, key.span().start);
            if let Some(value) = self.free_entry(place, name, value, name_check, value_check) {
                values.set(name, value);
            }
        }
        Some(LocatedValue { value: SettingValue::Table(values), place: below.place })
    }

    fn free_entry(
        &mut self,
        place: KeyLocation,
        name: &str,
        value: &Spanned<DeValue<'_>>,
        name_check: TextCheck,
        value_check: TextCheck,
    ) -> Option<LocatedValue<SettingValue>> {
        if let Err(refusal) = name_check(name) {
            let rest = format!("has a name that is not allowed: {}", refusal.allowed);
            self.report(&place, &rest, refusal.hint);
            return None;
        }
        self.checked(place, value.get_ref(), |given| value_check(given).map(SettingValue::Text))
    }
}

/// The value of the first key, by which people know an item.
fn name_of_item<'v>(item: &'v SettingsTable, section: &SettingSection) -> Option<&'v str> {
    match &item.value(section.keys.first()?.name)?.value {
        SettingValue::Text(name) => Some(name),
        _ => None,
    }
}

fn check_time(
    given: &str,
    limits: &RangeInclusive<Duration>,
    whole_seconds: bool,
) -> CheckResult<SettingValue> {
    let allowed = limits_of_time(limits);
    let Ok(time) = humantime::parse_duration(given) else {
        let refusal = ValueRefusal::new(format!("a duration from {allowed} is expected"));
        return Err(
            refusal.hint("a number and its unit, such as `\"200ms\"`, `\"30s\"` or `\"1h 30m\"`")
        );
    };
    if !limits.contains(&time) {
        return Err(ValueRefusal::new(format!("allowed is {allowed}")));
    }
    if whole_seconds && time.subsec_nanos() != 0 {
        return Err(ValueRefusal::new(format!("whole seconds are expected, {allowed}")));
    }
    Ok(SettingValue::Time(time))
}
