//! A value of the configuration, a table of values, and where each of them stands.
//!
//! Nothing here knows which keys there are: the settings table says which key holds which kind of
//! value. Values were checked when they were read.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::keyword::ConfigKeyword;

/// Where something stands in the file. Without a line, it is not in the file: a flag said it, or
/// the grammar implies it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyLocation {
    pub(crate) line: Option<usize>,
    pub(crate) key: String,
}

impl KeyLocation {
    /// A key that is in no line of the file.
    pub(crate) fn without_line(key: &str) -> Self {
        Self { line: None, key: key.to_owned() }
    }

    /// The place of what the grammar says without a word in the file.
    pub(crate) fn implied() -> Self {
        Self::without_line("")
    }

    /// Where the value comes from, for a person who reads the effective settings.
    pub(crate) fn origin(&self) -> String {
        match self.line {
            Some(line) => format!("line {line}"),
            None if self.key.starts_with("--") => self.key.clone(),
            None => "implied".to_owned(),
        }
    }

    /// The key without its tables, in its own spelling.
    pub(crate) fn own_name(&self) -> &str {
        self.key.rsplit('.').next().unwrap_or_default()
    }
}

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LocatedValue<T> {
    pub(crate) value: T,
    pub(crate) place: KeyLocation,
}

impl<T> LocatedValue<T> {
    /// What the grammar says without a word in the file.
    pub(crate) fn implied(value: T) -> Self {
        Self { value, place: KeyLocation::implied() }
    }

    pub(crate) fn map<U>(self, change: impl FnOnce(T) -> U) -> LocatedValue<U> {
        LocatedValue { value: change(self.value), place: self.place }
    }
}

/// One value of any kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SettingValue {
    Text(String),
    /// A path on this host.
    Path(PathBuf),
    Number(u32),
    Flag(bool),
    Time(Duration),
    List(Vec<SettingValue>),
    Table(SettingsTable),
}

impl SettingValue {
    pub(crate) fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// The values of one table, by the names of their keys; what the file does not say is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SettingsTable(BTreeMap<String, LocatedValue<SettingValue>>);

impl SettingsTable {
    pub(crate) fn set(&mut self, name: &str, value: LocatedValue<SettingValue>) {
        self.0.insert(name.to_owned(), value);
    }

    /// Sets a value only where there is none yet.
    pub(crate) fn set_if_absent(
        &mut self,
        name: &str,
        value: impl FnOnce() -> LocatedValue<SettingValue>,
    ) {
        self.0.entry(name.to_owned()).or_insert_with(value);
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(crate) fn value(&self, name: &str) -> Option<&LocatedValue<SettingValue>> {
        self.0.get(name)
    }

    /// A value as the type that it has in Rust, with its place.
    pub(crate) fn get<T: SettingField>(&self, name: &str) -> Option<LocatedValue<T>> {
        let LocatedValue { value, place } = self.value(name)?.clone();
        Some(LocatedValue { value: T::from_setting(Some(value))?, place })
    }

    /// A table below this one.
    pub(crate) fn table(&self, name: &str) -> Option<&Self> {
        match &self.value(name)?.value {
            SettingValue::Table(table) => Some(table),
            _ => None,
        }
    }

    /// In the order of the names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &LocatedValue<SettingValue>)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// These values, and from `base` what they do not say; tables key by key, lists as a whole.
    #[must_use]
    pub(crate) fn over(mut self, base: Self) -> Self {
        for (name, below) in base.0 {
            let Some(above) = self.0.remove(&name) else {
                self.0.insert(name, below);
                continue;
            };
            let LocatedValue { value, place } = above;
            let value = match (value, below.value) {
                (SettingValue::Table(above), SettingValue::Table(below)) => {
                    SettingValue::Table(above.over(below))
                }
                (above, _) => above,
            };
            self.0.insert(name, LocatedValue { value, place });
        }
        self
    }
}

/// A type that a field of the checked settings may have.
pub(crate) trait SettingField: Sized {
    /// The field for a value, or for a key that has none; `None` if the value is of another kind
    /// or is needed and absent.
    fn from_setting(value: Option<SettingValue>) -> Option<Self>;
}

/// Fields that hold one kind of value as it is.
macro_rules! plain_fields {
    ($($kind:ident => $type:ty,)+) => {
        $(impl SettingField for $type {
            fn from_setting(value: Option<SettingValue>) -> Option<Self> {
                match value? {
                    SettingValue::$kind(value) => Some(value),
                    _ => None,
                }
            }
        })+
    };
}

plain_fields! {
    Text => String,
    Path => PathBuf,
    Number => u32,
    Flag => bool,
    Time => Duration,
}

impl SettingField for u16 {
    fn from_setting(value: Option<SettingValue>) -> Option<Self> {
        Self::try_from(u32::from_setting(value)?).ok()
    }
}

/// A key that may be absent.
impl<T: SettingField> SettingField for Option<T> {
    fn from_setting(value: Option<SettingValue>) -> Option<Self> {
        match value {
            None => Some(None),
            Some(value) => T::from_setting(Some(value)).map(Some),
        }
    }
}

impl<T: SettingField> SettingField for Vec<T> {
    fn from_setting(value: Option<SettingValue>) -> Option<Self> {
        match value? {
            SettingValue::List(items) => {
                items.into_iter().map(|item| T::from_setting(Some(item))).collect()
            }
            _ => None,
        }
    }
}

/// A table whose names are the operator's own.
impl SettingField for BTreeMap<String, String> {
    fn from_setting(value: Option<SettingValue>) -> Option<Self> {
        match value? {
            SettingValue::Table(table) => table
                .0
                .into_iter()
                .map(|(name, given)| Some((name, String::from_setting(Some(given.value))?)))
                .collect(),
            _ => None,
        }
    }
}

/// One of a set of words.
impl<T: ConfigKeyword> SettingField for T {
    fn from_setting(value: Option<SettingValue>) -> Option<Self> {
        let given = String::from_setting(value)?;
        T::all().iter().copied().find(|known| known.word() == given)
    }
}
