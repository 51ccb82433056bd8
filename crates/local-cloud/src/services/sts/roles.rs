//! The roles that callers may assume. No policies are evaluated.

use std::collections::BTreeMap;
use std::sync::Mutex;

/// The roles of one cloud.
#[derive(Debug, Default)]
pub(crate) struct AssumableRoles {
    /// The external id that each role asks for, by the role's name.
    roles: Mutex<BTreeMap<String, Option<String>>>,
}

impl AssumableRoles {
    /// Adds a role, with this external id where one is given.
    pub fn add(&self, name: &str, external_id: Option<&str>) {
        let mut roles = self.roles.lock().expect("no one panics while holding the roles");
        roles.insert(name.to_owned(), external_id.map(str::to_owned));
    }

    /// Whether the role exists and takes this external id. A role that asks for none takes any, as a
    /// trust policy without that condition does.
    pub fn may_assume(&self, name: &str, external_id: Option<&str>) -> bool {
        let roles = self.roles.lock().expect("no one panics while holding the roles");
        match roles.get(name) {
            None => false,
            Some(None) => true,
            Some(Some(asked)) => external_id == Some(asked.as_str()),
        }
    }
}
