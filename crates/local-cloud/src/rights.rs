//! The rights that a test took away, from everybody or from the sessions of one role. What policies allow is
//! the business of `services/iam`.

use std::collections::BTreeSet;
use std::sync::Mutex;

use crate::wire::credentials::CallerPrincipal;

/// The rights that somebody does not have.
#[derive(Debug, Default)]
pub struct AccessRights {
    denied: Mutex<BTreeSet<DeniedRight>>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct DeniedRight {
    /// `None` for every caller.
    role: Option<String>,
    right: String,
}

impl DeniedRight {
    fn new(role: Option<&str>, right: &str) -> Self {
        Self { role: role.map(str::to_owned), right: right.to_owned() }
    }
}

impl AccessRights {
    /// Takes a right from everybody, for example `ecs:TagResource`.
    pub fn deny(&self, right: &str) {
        self.change(|denied| denied.insert(DeniedRight::new(None, right)));
    }

    /// Gives a right back.
    pub fn allow(&self, right: &str) {
        self.change(|denied| denied.remove(&DeniedRight::new(None, right)));
    }

    /// Takes a right from the sessions of a role.
    pub fn deny_role(&self, role: &str, right: &str) {
        self.change(|denied| denied.insert(DeniedRight::new(Some(role), right)));
    }

    /// Gives a right back to the sessions of a role.
    pub fn allow_role(&self, role: &str, right: &str) {
        self.change(|denied| denied.remove(&DeniedRight::new(Some(role), right)));
    }

    pub fn allows(&self, principal: &CallerPrincipal, right: &str) -> bool {
        let role = match principal {
            CallerPrincipal::User => None,
            CallerPrincipal::Session { role, .. } => Some(role.as_str()),
        };
        self.change(|denied| {
            [None, role].iter().all(|role| !denied.contains(&DeniedRight::new(*role, right)))
        })
    }

    fn change(&self, change: impl FnOnce(&mut BTreeSet<DeniedRight>) -> bool) -> bool {
        change(&mut self.denied.lock().expect("no one panics while holding the rights"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_is_taken_from_everybody_or_from_one_role() {
        let session = |role: &str| CallerPrincipal::Session {
            role: role.to_owned(),
            session: "task".to_owned(),
        };
        let (rights, right) = (AccessRights::default(), "secretsmanager:GetSecretValue");
        let allowed = |rights: &AccessRights| {
            [CallerPrincipal::User, session("execution"), session("other")]
                .map(|principal| rights.allows(&principal, right))
        };
        rights.deny_role("execution", right);
        assert_eq!(allowed(&rights), [true, false, true]);
        rights.allow_role("execution", right);
        rights.deny(right);
        assert_eq!(allowed(&rights), [false; 3]);
        rights.allow(right);
        assert_eq!(allowed(&rights), [true; 3]);
    }
}
