//! The log groups that the owner of a cloud added. Every group with a stream exists as well.

use std::collections::BTreeSet;
use std::sync::Mutex;

/// Region and name of each added group.
#[derive(Debug, Default)]
pub struct AddedLogGroups(Mutex<BTreeSet<(String, String)>>);

impl AddedLogGroups {
    /// Adds a group.
    pub fn add(&self, region: &str, name: &str) {
        let mut groups = self.0.lock().expect("no one panics while holding the groups");
        groups.insert((region.to_owned(), name.to_owned()));
    }

    /// The groups of a Region.
    pub fn of(&self, region: &str) -> BTreeSet<String> {
        let groups = self.0.lock().expect("no one panics while holding the groups");
        groups.iter().filter(|(own, _)| own == region).map(|(_, name)| name.clone()).collect()
    }
}
