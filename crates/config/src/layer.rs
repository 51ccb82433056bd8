//! The settings of one table, `[defaults]` or `[profile.NAME]`, as the file has them, and how one
//! table is laid over another.

use crate::settings::JobProfile;
use crate::value::{KeyLocation, SettingsTable};

/// One table of settings.
#[derive(Clone, Debug)]
pub(crate) struct SettingsLayer {
    /// The profile's name; `None` for `[defaults]`.
    pub(crate) name: Option<String>,
    /// Its header.
    pub(crate) place: KeyLocation,
    pub(crate) values: SettingsTable,
}

impl SettingsLayer {
    /// A layer that says nothing.
    pub(crate) fn empty(name: Option<String>, place: KeyLocation) -> Self {
        Self { name, place, values: SettingsTable::default() }
    }

    /// This layer, and what it does not say from `base`.
    #[must_use]
    pub(crate) fn over(self, base: Self) -> Self {
        Self { values: over(self.values, base.values), ..self }
    }
}

/// One table of settings over another. A key that may not stand beside another one takes its place,
/// and that of the keys which say something only beside that one.
pub(crate) fn over(above: SettingsTable, mut base: SettingsTable) -> SettingsTable {
    let section = JobProfile::SECTION;
    for key in section.keys {
        if let Some((other, _)) = key.instead_of
            && above.has(key.name)
        {
            base.remove(other);
        }
        let Some(choice) = section.choice_of(key) else { continue };
        let other = choice.instead_of.map(|(other, _)| other);
        if other.is_some_and(|other| above.has(other)) {
            base.remove(key.name);
        }
    }
    above.over(base)
}
