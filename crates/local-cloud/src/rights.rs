//! What callers may do: everything, except for the rights that a test took away. No policies are
//! evaluated here.

use std::collections::BTreeSet;
use std::sync::Mutex;

/// The rights that nobody has.
#[derive(Debug, Default)]
pub struct AccessRights {
    denied: Mutex<BTreeSet<String>>,
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
}
