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

/// One table of settings over another. A key that may not stand beside another one takes its place.
pub(crate) fn over(above: SettingsTable, mut base: SettingsTable) -> SettingsTable {
    let alternatives = JobProfile::SECTION.keys.iter().filter_map(|key| {
        let (other, _) = key.instead_of?;
        Some([(key.name, other), (other, key.name)])
    });
    for (given, other) in alternatives.flatten() {
        if above.has(given) {
            base.remove(other);
        }
    }
    above.over(base)
}
