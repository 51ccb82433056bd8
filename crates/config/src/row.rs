//! How a row of the settings table is written: first what the key holds, then what is in effect where
//! the file does not say, then the rest.
//!
//! Nothing is read here. All of this is done by the compiler, so that the table is a constant.

use std::time::Duration;

use crate::check::ValueRefusal;
use crate::keyword::{ConfigKeyword, one_of};
use crate::table::{
    OfferedNumbers, SettingDefault, SettingKey, SettingKind, SettingSection, TableList, TextCheck,
};
use crate::value::SettingsTable;

/// The beginning of a row: what the key holds.
const fn row(kind: SettingKind) -> SettingKey {
    SettingKey {
        name: "",
        doc: "",
        kind,
        default: SettingDefault::Required,
        example: None,
        gitlab: None,
        instead_of: None,
        needs: None,
        at_most: None,
    }
}

pub(crate) const fn text(check: TextCheck) -> SettingKey {
    row(SettingKind::Text(check))
}

pub(crate) const fn path(check: TextCheck) -> SettingKey {
    row(SettingKind::Path(check))
}

pub(crate) const fn keyword<T: ConfigKeyword>() -> SettingKey {
    row(SettingKind::Text(one_of::<T>))
}

pub(crate) const fn flag() -> SettingKey {
    row(SettingKind::Flag)
}

pub(crate) const fn number(min: u32, max: u32) -> SettingKey {
    row(SettingKind::Number(min, max))
}

pub(crate) const fn offered(
    expected: fn() -> String,
    check: fn(u32) -> Result<(), Option<String>>,
) -> SettingKey {
    row(SettingKind::Offered(OfferedNumbers { expected, check }))
}

pub(crate) const fn time(min: Duration, max: Duration) -> SettingKey {
    row(SettingKind::Time(min, max))
}

pub(crate) const fn seconds(min: Duration, max: Duration) -> SettingKey {
    row(SettingKind::Seconds(min, max))
}

pub(crate) const fn texts(min: usize, max: usize, check: TextCheck) -> SettingKey {
    row(SettingKind::Texts(min, max, check))
}

pub(crate) const fn table(section: &'static SettingSection) -> SettingKey {
    row(SettingKind::Table(section)).or_empty()
}

pub(crate) const fn tables(
    min: usize,
    max: usize,
    section: &'static SettingSection,
    check: fn(&[SettingsTable]) -> Vec<ValueRefusal>,
) -> SettingKey {
    row(SettingKind::Tables(TableList { min, max, section, check }))
}

pub(crate) const fn free_table(name: TextCheck, value: TextCheck) -> SettingKey {
    row(SettingKind::FreeTable(name, value)).or_empty()
}

/// The rest of a row. What no call says, a key does not have; a key without a default is required.
impl SettingKey {
    const fn or(mut self, default: SettingDefault) -> Self {
        self.default = default;
        self
    }

    /// The key may be absent; `what` happens then.
    pub(crate) const fn or_absent(self, what: &'static str) -> Self {
        self.or(SettingDefault::Absent(what))
    }

    pub(crate) const fn or_text(self, default: &'static str) -> Self {
        self.or(SettingDefault::Text(default))
    }

    pub(crate) const fn or_number(self, default: u32) -> Self {
        self.or(SettingDefault::Number(default))
    }

    pub(crate) const fn or_flag(self, default: bool) -> Self {
        self.or(SettingDefault::Flag(default))
    }

    pub(crate) const fn or_time(self, default: Duration) -> Self {
        self.or(SettingDefault::Time(default))
    }

    pub(crate) const fn or_empty(self) -> Self {
        self.or(SettingDefault::Empty)
    }

    /// A value as the file has it; only for a key whose default shows none.
    pub(crate) const fn example(mut self, value: &'static str) -> Self {
        self.example = Some(value);
        self
    }

    /// The name of the key in the file, where the field has another.
    pub(crate) const fn named(mut self, name: &'static str) -> Self {
        self.name = name;
        self
    }

    /// The spelling in a file of GitLab's driver.
    pub(crate) const fn in_gitlabs_file(mut self, name: &'static str) -> Self {
        self.gitlab = Some(name);
        self
    }

    pub(crate) const fn instead_of(mut self, other: &'static str, why: &'static str) -> Self {
        self.instead_of = Some((other, why));
        self
    }

    /// The key says something only beside `other`.
    pub(crate) const fn needs(mut self, other: &'static str) -> Self {
        self.needs = Some(other);
        self
    }

    pub(crate) const fn at_most(mut self, other: &'static str) -> Self {
        self.at_most = Some(other);
        self
    }

    /// What `settings_table!` knows of the row: the field and its doc comment.
    pub(crate) const fn described(mut self, field: &'static str, doc: &'static str) -> Self {
        if self.name.is_empty() {
            self.name = field;
        }
        self.doc = doc;
        self
    }
}
