//! What callers may do: everything, but for the rights that a test took away and the roles that
//! they may assume. No policies are evaluated here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

/// The rights of everybody, and the roles there are.
#[derive(Debug, Default)]
pub struct AccessRights {
    denied: Mutex<BTreeSet<String>>,
    /// The external id that each role asks for, by the role's name.
    roles: Mutex<BTreeMap<String, Option<String>>>,
}

impl AccessRights {
    /// Takes a right away, for example `ecs:TagResource`.
    pub fn deny(&self, right: &str) {
        let mut denied = self.denied.lock().expect("no one panics while holding the rights");
        denied.insert(right.to_owned());
    }

    /// Gives a right back.
    pub fn allow(&self, right: &str) {
        let mut denied = self.denied.lock().expect("no one panics while holding the rights");
        denied.remove(right);
    }

    pub fn allows(&self, right: &str) -> bool {
        let denied = self.denied.lock().expect("no one panics while holding the rights");
        !denied.contains(right)
    }

    /// Makes a role that may be assumed, with this external id where one is given.
    pub fn add_role(&self, name: &str, external_id: Option<&str>) {
        let mut roles = self.roles.lock().expect("no one panics while holding the rights");
        roles.insert(name.to_owned(), external_id.map(str::to_owned));
    }

    /// Whether the role is there and content with this external id. One that asks for none takes
    /// any, as a trust policy without that condition does.
    pub fn may_assume(&self, name: &str, external_id: Option<&str>) -> bool {
        let roles = self.roles.lock().expect("no one panics while holding the rights");
        match roles.get(name) {
            None => false,
            Some(None) => true,
            Some(Some(asked)) => external_id == Some(asked.as_str()),
        }
    }
}
