//! What the settings table is made of: one row for each key, with everything there is to know of it.
//!
//! A row stands in a [`settings_table!`], under the doc comment that becomes both the field's
//! documentation and the comment in the reference file. From the rows come the struct with the
//! checked values, the reader, the merging of layers, `config show`, `config import`, the answers to
//! unknown keys and the reference file. How a row is written is in `row`; the rows themselves are in
//! `settings` and `config`.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use crate::check::{CheckResult, ValueRefusal};
use crate::toml_text::{toml_key, toml_string};
use crate::value::{SettingField, SettingValue, SettingsTable};

/// The keys of one table of the file.
pub(crate) struct SettingSection {
    /// The name of the struct with the checked values.
    pub(crate) name: &'static str,
    pub(crate) keys: &'static [SettingKey],
}

impl SettingSection {
    pub(crate) fn key(&self, name: &str) -> Option<&'static SettingKey> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// The key that may be given instead of this one.
    pub(crate) fn alternative(&self, name: &str) -> Option<&'static SettingKey> {
        self.keys.iter().find(|key| key.instead_of.is_some_and(|(other, _)| other == name))
    }

    /// The key, given instead of another one, that this key is or says something beside.
    pub(crate) fn choice_of(&self, key: &'static SettingKey) -> Option<&'static SettingKey> {
        match (key.instead_of, key.needs) {
            (Some(_), _) => Some(key),
            (None, Some(needed)) => self.choice_of(self.key(needed)?),
            (None, None) => None,
        }
    }
}

/// One row of the settings table.
pub(crate) struct SettingKey {
    pub(crate) name: &'static str,
    /// What it means, for the reference file and for readers of the code.
    pub(crate) doc: &'static str,
    pub(crate) kind: SettingKind,
    pub(crate) default: SettingDefault,
    /// A value as the file has it, where there is no default to show.
    pub(crate) example: Option<&'static str>,
    /// The spelling in a file of GitLab's driver, where that is not the name in camel case.
    pub(crate) gitlab: Option<&'static str>,
    /// A key that must not stand beside this one, and why not.
    pub(crate) instead_of: Option<(&'static str, &'static str)>,
    /// A key of the same table without which this one says nothing.
    pub(crate) needs: Option<&'static str>,
    /// A key of the same table whose time this one must not exceed.
    pub(crate) at_most: Option<&'static str>,
}

/// What a key holds. Both ends of all limits are included.
#[derive(Clone, Copy)]
pub(crate) enum SettingKind {
    Text(TextCheck),
    /// A path on this host.
    Path(TextCheck),
    Flag,
    Number(u32, u32),
    /// One of the numbers that AWS offers.
    Offered(OfferedNumbers),
    Time(Duration, Duration),
    /// A time in whole seconds, because the agent receives it so.
    Seconds(Duration, Duration),
    /// Different texts; how many of them.
    Texts(usize, usize, TextCheck),
    /// A table with keys of its own.
    Table(&'static SettingSection),
    /// A list of such tables. The first key of each names it, and no two have the same name.
    Tables(TableList),
    /// A table whose names are the operator's own.
    FreeTable(TextCheck, TextCheck),
}

pub(crate) type TextCheck = fn(&str) -> CheckResult<String>;

/// Numbers that are not simply a range.
#[derive(Clone, Copy)]
pub(crate) struct OfferedNumbers {
    /// What is expected, in words.
    pub(crate) expected: fn() -> String,
    /// Refuses a number, perhaps with a hint.
    pub(crate) check: fn(u32) -> Result<(), Option<String>>,
}

/// A list of tables.
#[derive(Clone, Copy)]
pub(crate) struct TableList {
    pub(crate) min: usize,
    pub(crate) max: usize,
    pub(crate) section: &'static SettingSection,
    /// What is wrong with the list as a whole, once each item is right.
    pub(crate) check: fn(&[SettingsTable]) -> Vec<ValueRefusal>,
}

/// What is in effect where the file does not say.
#[derive(Clone, Copy)]
pub(crate) enum SettingDefault {
    /// Nothing: the file must say.
    Required,
    /// No value; this happens instead.
    Absent(&'static str),
    Text(&'static str),
    Number(u32),
    Flag(bool),
    Time(Duration),
    /// An empty list, or a table whose keys have defaults of their own.
    Empty,
}

impl SettingKey {
    pub(crate) fn is_required(&self) -> bool {
        matches!(self.default, SettingDefault::Required)
    }

    pub(crate) fn default_value(&self) -> Option<SettingValue> {
        Some(match (self.default, self.kind) {
            (SettingDefault::Required | SettingDefault::Absent(_), _) => return None,
            (SettingDefault::Text(path), SettingKind::Path(_)) => {
                SettingValue::Path(PathBuf::from(path))
            }
            (SettingDefault::Text(text), _) => SettingValue::text(text),
            (SettingDefault::Number(number), _) => SettingValue::Number(number),
            (SettingDefault::Flag(flag), _) => SettingValue::Flag(flag),
            (SettingDefault::Time(time), _) => SettingValue::Time(time),
            (SettingDefault::Empty, SettingKind::Table(_) | SettingKind::FreeTable(..)) => {
                SettingValue::Table(SettingsTable::default())
            }
            (SettingDefault::Empty, _) => SettingValue::List(Vec::new()),
        })
    }

    /// The field of the checked settings: the value in `values`, else the default.
    pub(crate) fn field<T: SettingField>(&self, values: &SettingsTable) -> Option<T> {
        let given = values.value(self.name).map(|given| given.value.clone());
        T::from_setting(given.or_else(|| self.default_value()))
    }

    /// A value as the file has it; none for a table.
    pub(crate) fn example_value(&self) -> Option<String> {
        let default = || Some(self.written(&self.default_value()?));
        match self.kind {
            SettingKind::Table(_) | SettingKind::FreeTable(..) => None,
            _ => self.example.map(str::to_owned).or_else(default),
        }
    }

    /// The name in the spelling of a file of GitLab's driver: `assume_role_arn` is
    /// `AssumeRoleArn`.
    pub(crate) fn gitlab_name(&self) -> String {
        let capital = |word: &str| {
            let (first, rest) = word.split_at(1);
            first.to_uppercase() + rest
        };
        match self.gitlab {
            Some(name) => name.to_owned(),
            None => self.name.split('_').map(capital).collect(),
        }
    }

    /// A value of this key as TOML.
    pub(crate) fn written(&self, value: &SettingValue) -> String {
        match (value, self.kind) {
            (SettingValue::List(items), SettingKind::Tables(list)) => {
                let items: Vec<String> =
                    items.iter().map(|item| inline_table(item, list.section)).collect();
                format!("[{}]", items.join(", "))
            }
            _ => plain(value),
        }
    }
}

pub(crate) fn limits_of_time(limits: &RangeInclusive<Duration>) -> String {
    format!("{} to {}", duration(*limits.start()), duration(*limits.end()))
}

/// A duration as the file has it, without its quotes.
pub(crate) fn duration(time: Duration) -> String {
    humantime::format_duration(time).to_string()
}

/// One item of a list of tables, its keys in the order of the settings table.
fn inline_table(item: &SettingValue, section: &SettingSection) -> String {
    let SettingValue::Table(values) = item else { return plain(item) };
    let line = |key: &SettingKey| {
        Some(format!("{} = {}", key.name, key.written(&values.value(key.name)?.value)))
    };
    let lines: Vec<String> = section.keys.iter().filter_map(line).collect();
    in_braces(&lines)
}

fn in_braces(lines: &[String]) -> String {
    if lines.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", lines.join(", ")) }
}

/// A value as TOML, whatever its key.
pub(crate) fn plain(value: &SettingValue) -> String {
    match value {
        SettingValue::Text(text) => toml_string(text),
        SettingValue::Path(path) => toml_string(&path.to_string_lossy()),
        SettingValue::Number(number) => number.to_string(),
        SettingValue::Flag(flag) => flag.to_string(),
        SettingValue::Time(time) => toml_string(&duration(*time)),
        SettingValue::List(items) => {
            let items: Vec<String> = items.iter().map(plain).collect();
            format!("[{}]", items.join(", "))
        }
        SettingValue::Table(table) => {
            let lines: Vec<String> = table
                .iter()
                .map(|(name, given)| format!("{} = {}", toml_key(name), plain(&given.value)))
                .collect();
            in_braces(&lines)
        }
    }
}

/// Declares the keys of one table of the file, and the struct that their checked values make.
///
/// Fields under `beside` are not in the file; `from_values` takes them as arguments. What a row may
/// say is in `row`.
macro_rules! settings_table {
    (
        $(#[$attribute:meta])+
        pub struct $name:ident {
            $(beside {
                $($(#[$beside_doc:meta])+ $beside_vis:vis $beside:ident: $beside_type:ty,)+
            })?
            $($(#[doc = $doc:literal])+ $vis:vis $field:ident: $type:ty = $row:expr,)+
        }
    ) => {
        $(#[$attribute])+
        pub struct $name {
            $($($(#[$beside_doc])+ $beside_vis $beside: $beside_type,)+)?
            $($(#[doc = $doc])+ $vis $field: $type,)+
        }

        impl $name {
            pub(crate) const SECTION: &'static $crate::table::SettingSection =
                &$crate::table::SettingSection {
                    name: stringify!($name),
                    keys: &[$($row.described(stringify!($field), concat!($($doc),+)),)+],
                };

            /// The checked settings; `None` if a required value is absent.
            pub(crate) fn from_values(
                values: &$crate::value::SettingsTable,
                $($($beside: $beside_type,)+)?
            ) -> Option<Self> {
                // The fields are filled in the order of their rows.
                let mut keys = Self::SECTION.keys.iter();
                Some(Self {
                    $($($beside,)+)?
                    $($field: keys.next()?.field(values)?,)+
                })
            }
        }
    };
}

/// Lets the struct of a [`settings_table!`] be a field of another one.
macro_rules! table_field {
    ($name:ident) => {
        impl $crate::value::SettingField for $name {
            fn from_setting(value: Option<$crate::value::SettingValue>) -> Option<Self> {
                match value? {
                    $crate::value::SettingValue::Table(values) => Self::from_values(&values),
                    _ => None,
                }
            }
        }
    };
}

/// As `table_field`, for a table whose every key has a default.
macro_rules! table_with_defaults {
    ($name:ident) => {
        $crate::table::table_field!($name);

        impl Default for $name {
            fn default() -> Self {
                Self::from_values(&$crate::value::SettingsTable::default())
                    .expect("every key of this table has a default of its field's type")
            }
        }
    };
}

pub(crate) use {settings_table, table_field, table_with_defaults};
