//! Tables with names of the operator's own, such as `[volume.NAME]`: reads them, and reports names that are
//! not allowed and required keys that are missing.

use crate::reader::{ConfigReader, ConfigTable};
use crate::table::{SettingSection, TextCheck};
use crate::value::SettingsTable;

/// One kind of such tables.
pub(crate) struct NamedSections {
    /// The table that holds them.
    pub(crate) table: &'static str,
    /// What one of them is called.
    pub(crate) kind: &'static str,
    pub(crate) section: &'static SettingSection,
    pub(crate) name_check: TextCheck,
}

impl NamedSections {
    /// Reads all of them, in the order of the file.
    pub(crate) fn read(
        &self,
        reader: &mut ConfigReader<'_>,
        top: &ConfigTable<'_>,
    ) -> Vec<(String, SettingsTable)> {
        let Some(table) = reader.table(top, self.table) else { return Vec::new() };
        let mut keys: Vec<_> = table.entries.keys().collect();
        keys.sort_by_key(|key| key.span().start);
        let mut sections = Vec::with_capacity(keys.len());
        for key in keys {
            let name: &str = key.get_ref();
            let place = reader.place(&table, name, key.span().start);
            if let Err(refusal) = (self.name_check)(name) {
                let (kind, allowed) = (self.kind, refusal.allowed);
                let rest = format!("has a name that no {kind} may have: {allowed}");
                reader.report(&place, &rest, refusal.hint);
            } else if let Some(section) = reader.table(&table, name) {
                let values = reader.settings(&section, self.section);
                self.required(reader, &section);
                sections.push((name.to_owned(), values));
            }
        }
        sections
    }

    /// Reports required keys that are not there.
    fn required(&self, reader: &mut ConfigReader<'_>, section: &ConfigTable<'_>) {
        for key in self.section.keys.iter().filter(|key| key.is_required()) {
            let is_misspelt = reader.meant.iter().any(|meant| meant == key.name);
            if reader.value(section, key.name).is_none() && !is_misspelt {
                let example = key.example_value().map(|value| format!("`{} = {value}`", key.name));
                reader.report(&section.place, &format!("lacks `{}`", key.name), example);
            }
        }
    }
}
