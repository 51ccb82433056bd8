//! Walks a parsed TOML document by hand and keeps an account of every problem with its line.
//!
//! It knows kinds of values and how problems are worded, not which keys there are: `table_reader`
//! reads whole tables by the rows of the settings table.

use std::ops::RangeInclusive;
use std::path::Path;

use fargate_model::text::escape_within;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::check::{CheckResult, quoted};
use crate::problem::ConfigProblem;
use crate::unknown_key::{KeyMatching, KnownSection, UnknownKey, UnknownKeyPolicy};
use crate::value::{KeyLocation, LocatedValue};

/// After this many reports, unknown keys are named without a search for what was meant: a file of
/// another kind, full of them, is answered as soon as any other.
const MAX_EXPLAINED: usize = 100;

/// A table of the document.
#[derive(Clone, Debug)]
pub(crate) struct ConfigTable<'a> {
    pub(crate) entries: &'a DeTable<'a>,
    /// Its own place; the key of the document itself is empty.
    pub(crate) place: KeyLocation,
}

/// The account of one file.
pub(crate) struct ConfigReader<'a> {
    path: &'a Path,
    /// Byte offsets at which lines begin.
    lines: Vec<usize>,
    unknown: UnknownKeyPolicy,
    naming: KeyMatching,
    /// Every section of the grammar; empty until the grammar is known.
    known: Vec<KnownSection>,
    pub(crate) problems: Vec<ConfigProblem>,
    pub(crate) warnings: Vec<ConfigProblem>,
    /// Keys that a refused, unknown key probably meant.
    pub(crate) meant: Vec<String>,
}

impl<'a> ConfigReader<'a> {
    pub(crate) fn new(path: &'a Path, text: &str, unknown: UnknownKeyPolicy) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(at, _)| at + 1);
        let lines = std::iter::once(0).chain(ends).collect();
        Self {
            path,
            lines,
            unknown,
            naming: KeyMatching::Exact,
            known: Vec::new(),
            problems: Vec::new(),
            warnings: Vec::new(),
            meant: Vec::new(),
        }
    }

    /// The same account, for a grammar that has these sections.
    pub(crate) fn knowing(self, known: Vec<KnownSection>) -> Self {
        Self { known, ..self }
    }

    /// The same account, for a file whose keys are compared loosely and whose unknown keys are
    /// never more than a warning.
    pub(crate) fn loose(self) -> Self {
        Self { naming: KeyMatching::Loose, unknown: UnknownKeyPolicy::Warn, ..self }
    }

    /// A line that shows how a key of a section is written.
    pub(crate) fn example(&self, section: &str, name: &str) -> Option<&str> {
        self.known.iter().find(|known| known.name == section)?.example(name)
    }

    /// The line, from 1, of a byte offset.
    pub(crate) fn line(&self, offset: usize) -> usize {
        self.lines.partition_point(|start| *start <= offset)
    }

    pub(crate) fn problem(
        &self,
        place: &KeyLocation,
        message: String,
        hint: Option<String>,
    ) -> ConfigProblem {
        let key = (!place.key.is_empty()).then(|| place.key.clone());
        ConfigProblem { path: self.path.to_owned(), line: place.line, key, message, hint }
    }

    /// Reports `key K {rest}`.
    pub(crate) fn report(&mut self, place: &KeyLocation, rest: &str, hint: Option<String>) {
        let problem = self.problem(place, format!("key `{}` {rest}", place.key), hint);
        self.problems.push(problem);
    }

    /// The value of a key and its place.
    pub(crate) fn value<'t>(
        &self,
        table: &ConfigTable<'t>,
        name: &str,
    ) -> Option<(KeyLocation, &'t Spanned<DeValue<'t>>)> {
        let (key, value) = match self.naming {
            KeyMatching::Exact => table.entries.get_key_value(name)?,
            KeyMatching::Loose => {
                let same =
                    table.entries.iter().filter(|(key, _)| self.naming.same(key.get_ref(), name));
                let first = same.min_by_key(|(key, _)| key.span().start)?;
                Some(first).filter(|(_, value)| value.get_ref().as_str() != Some(""))?
            }
        };
        Some((self.place(table, key.get_ref(), key.span().start), value))
    }

    pub(crate) fn place(&self, table: &ConfigTable<'_>, name: &str, offset: usize) -> KeyLocation {
        KeyLocation { line: Some(self.line(offset)), key: dotted(&table.place.key, name) }
    }

    /// A string that passes `check`.
    pub(crate) fn text<T>(
        &mut self,
        table: &ConfigTable<'_>,
        name: &str,
        check: impl Fn(&str) -> CheckResult<T>,
    ) -> Option<LocatedValue<T>> {
        let (place, value) = self.value(table, name)?;
        self.checked(place, value.get_ref(), check)
    }

    /// As [`ConfigReader::text`], for a value that was found before.
    pub(crate) fn checked<T>(
        &mut self,
        place: KeyLocation,
        value: &DeValue<'_>,
        check: impl Fn(&str) -> CheckResult<T>,
    ) -> Option<LocatedValue<T>> {
        let Some(given) = value.as_str() else {
            self.wrong_kind(&place, value, "a string");
            return None;
        };
        match check(given) {
            Ok(value) => Some(LocatedValue { value, place }),
            Err(refusal) => {
                let rest = format!("is {}, {}", refusal.shown(given), refusal.allowed);
                self.report(&place, &rest, refusal.hint);
                None
            }
        }
    }

    /// `true` or `false`.
    pub(crate) fn flag(
        &mut self,
        table: &ConfigTable<'_>,
        name: &str,
    ) -> Option<LocatedValue<bool>> {
        let (place, value) = self.value(table, name)?;
        let DeValue::Boolean(value) = value.get_ref() else {
            self.wrong_kind(&place, value.get_ref(), "true or false");
            return None;
        };
        Some(LocatedValue { value: *value, place })
    }

    /// A whole number within `range`.
    pub(crate) fn number(
        &mut self,
        table: &ConfigTable<'_>,
        name: &str,
        range: RangeInclusive<u32>,
    ) -> Option<LocatedValue<u32>> {
        let expected = format!("a number from {} to {}", range.start(), range.end());
        self.whole(table, name, &expected, |n| range.contains(&n).then_some(()).ok_or(None))
    }

    /// A whole number that passes `check`, which may refuse it with a hint; `expected` says what
    /// passes.
    pub(crate) fn whole(
        &mut self,
        table: &ConfigTable<'_>,
        name: &str,
        expected: &str,
        check: impl Fn(u32) -> Result<(), Option<String>>,
    ) -> Option<LocatedValue<u32>> {
        let (place, value) = self.value(table, name)?;
        let DeValue::Integer(given) = value.get_ref() else {
            self.wrong_kind(&place, value.get_ref(), expected);
            return None;
        };
        let hint = match u32::from_str_radix(given.as_str(), given.radix()) {
            Err(_) => None,
            Ok(value) => match check(value) {
                Ok(()) => return Some(LocatedValue { value, place }),
                Err(hint) => hint,
            },
        };
        let given = escape_within(&given.to_string(), 40);
        self.report(&place, &format!("is {given}, {expected} is expected"), hint);
        None
    }

    /// A list of different strings that each pass `check`.
    pub(crate) fn texts(
        &mut self,
        table: &ConfigTable<'_>,
        name: &str,
        count: RangeInclusive<usize>,
        check: fn(&str) -> CheckResult<String>,
    ) -> Option<LocatedValue<Vec<String>>> {
        let (place, value) = self.value(table, name)?;
        let expected = format!("a list of {} to {} strings", count.start(), count.end());
        let Some(items) = value.get_ref().as_array() else {
            let hint = value.get_ref().as_str().filter(|given| check(given).is_ok());
            let hint = hint.map(|given| format!("`{} = [\"{given}\"]`", place.own_name()));
            let is = kind(value.get_ref());
            self.report(&place, &format!("is {is}, {expected} is expected"), hint);
            return None;
        };
        if !count.contains(&items.len()) {
            let rest = format!("has {} items, {expected} is expected", items.len());
            self.report(&place, &rest, None);
            return None;
        }
        let mut values: Vec<String> = Vec::with_capacity(items.len());
        let before = self.problems.len();
        for (number, item) in (1..).zip(items) {
            let at =
                KeyLocation { line: Some(self.line(item.span().start)), key: place.key.clone() };
            match self.item(&at, number, item.get_ref(), check) {
                Some(value) if values.contains(&value) => {
                    self.report(&at, &format!("has {} twice", quoted(&value)), None);
                }
                Some(value) => values.push(value),
                None => {}
            }
        }
        (self.problems.len() == before).then_some(LocatedValue { value: values, place })
    }

    fn item(
        &mut self,
        at: &KeyLocation,
        number: usize,
        value: &DeValue<'_>,
        check: fn(&str) -> CheckResult<String>,
    ) -> Option<String> {
        let Some(given) = value.as_str() else {
            let rest = format!("has {} as item {number}, a string is expected", kind(value));
            self.report(at, &rest, None);
            return None;
        };
        let refusal = match check(given) {
            Ok(value) => return Some(value),
            Err(refusal) => refusal,
        };
        let rest = format!("has {} as item {number}, {}", refusal.shown(given), refusal.allowed);
        self.report(at, &rest, refusal.hint);
        None
    }

    /// A table below another.
    pub(crate) fn table<'t>(
        &mut self,
        table: &ConfigTable<'t>,
        name: &str,
    ) -> Option<ConfigTable<'t>> {
        let (place, value) = self.value(table, name)?;
        match value.get_ref() {
            DeValue::Table(entries) => Some(ConfigTable { entries, place }),
            other => {
                let rest = format!("is {}, a table is expected", kind(other));
                self.report(&place, &rest, Some(format!("`[{}]`", place.key)));
                None
            }
        }
    }

    /// Reports every key of `table` that the section does not have, and keys that are the same one.
    pub(crate) fn unknown_keys(&mut self, table: &ConfigTable<'_>, section: &str) {
        let known = self.known.iter().find(|known| known.name == section);
        let names: Vec<String> =
            known.iter().flat_map(|known| known.keys.iter().map(|key| key.name.clone())).collect();
        let mut seen: Vec<(&str, KeyLocation)> = Vec::new();
        let mut keys: Vec<_> = table.entries.keys().collect();
        keys.sort_by_key(|key| key.span().start);
        for key in keys {
            let given: &str = key.get_ref();
            let place = self.place(table, given, key.span().start);
            match names.iter().find(|name| self.naming.same(given, name)) {
                None => self.unknown_key(&place, given, section),
                Some(name) => match seen.iter().find(|(former, _)| former == name) {
                    None => seen.push((name, place)),
                    Some((_, former)) => {
                        let line = former.line.unwrap_or_default();
                        let rest = format!("is the same key as `{}` (line {line})", former.key);
                        self.report(&place, &rest, Some("leave out one of them".to_owned()));
                    }
                },
            }
        }
    }

    fn unknown_key(&mut self, place: &KeyLocation, given: &str, section: &str) {
        let answer = match self.problems.len() + self.warnings.len() < MAX_EXPLAINED {
            true => UnknownKey::in_section(&self.known, section, given, self.naming),
            false => UnknownKey::unexplained(),
        };
        let message = format!("key `{}` {}", place.key, answer.rest);
        let problem = self.problem(place, message, answer.hint);
        match self.unknown {
            UnknownKeyPolicy::Warn => self.warnings.push(problem),
            UnknownKeyPolicy::Refuse => {
                self.problems.push(problem);
                self.meant.extend(answer.meant);
            }
        }
    }

    pub(crate) fn wrong_kind(&mut self, place: &KeyLocation, value: &DeValue<'_>, expected: &str) {
        self.report(place, &format!("is {}, {expected} is expected", kind(value)), None);
    }
}

/// The kind of a value in words.
pub(crate) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// `defaults.ssh` and `port` as `defaults.ssh.port`; quoted where TOML needs quotes, cut where long.
pub(crate) fn dotted(table: &str, name: &str) -> String {
    let bare = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    let plain = !name.is_empty() && name.bytes().all(bare);
    let name = if plain { escape_within(name, 80) } else { quoted(name) };
    if table.is_empty() { name } else { format!("{table}.{name}") }
}
