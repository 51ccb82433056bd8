//! Whose signatures are accepted: the pair of the cloud's own environment, else test/test, and the
//! short-lived credentials that the cloud issued.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::RwLock;
use std::time::{Duration, SystemTime};

use crate::options::ServeError;
use crate::state::names::ACCOUNT;
use crate::state::random;

/// Short-lived credentials that the cloud issued.
#[derive(Clone)]
pub struct Credentials {
    /// For `AWS_ACCESS_KEY_ID`.
    pub access_key_id: String,
    /// For `AWS_SECRET_ACCESS_KEY`.
    pub secret_access_key: String,
    /// For `AWS_SESSION_TOKEN`.
    pub session_token: String,
    /// From then on they are answered with `ExpiredTokenException`.
    pub expires_at: SystemTime,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("access_key_id", &self.access_key_id)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// Whose key it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Principal {
    /// The one user of the account.
    User,
    /// A session of a role, by the names of both.
    Session { role: String, session: String },
}

impl Principal {
    /// Its ARN in a partition.
    pub fn arn(&self, partition: &str) -> String {
        match self {
            Self::User => format!("arn:{partition}:iam::{ACCOUNT}:user/ci"),
            Self::Session { role, session } => {
                format!("arn:{partition}:sts::{ACCOUNT}:assumed-role/{role}/{session}")
            }
        }
    }
}

/// One accepted key.
#[derive(Clone)]
pub(crate) struct Key {
    pub principal: Principal,
    pub secret: String,
    pub session_token: Option<String>,
    pub expires_at: Option<SystemTime>,
}

/// All accepted keys, by access key id.
pub(crate) struct Keyring {
    keys: RwLock<BTreeMap<String, Key>>,
}

impl Keyring {
    /// Reads the pair with `variable`, which answers as the environment does.
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ServeError> {
        const ID: &str = "AWS_ACCESS_KEY_ID";
        const SECRET: &str = "AWS_SECRET_ACCESS_KEY";
        let given = |name: &str| variable(name).filter(|value| !value.is_empty());
        let (id, secret, session_token) = match (given(ID), given(SECRET)) {
            (Some(id), Some(secret)) => (id, secret, given("AWS_SESSION_TOKEN")),
            (None, None) => ("test".to_owned(), "test".to_owned(), None),
            (Some(_), None) => {
                return Err(ServeError::HalfCredentials { given: ID, missing: SECRET });
            }
            (None, Some(_)) => {
                return Err(ServeError::HalfCredentials { given: SECRET, missing: ID });
            }
        };
        let key = Key { principal: Principal::User, secret, session_token, expires_at: None };
        Ok(Self { keys: RwLock::new(BTreeMap::from([(id, key)])) })
    }

    /// Makes credentials for `principal` that end after `lifetime`.
    pub fn issue(&self, principal: Principal, now: SystemTime, lifetime: Duration) -> Credentials {
        let credentials = Credentials {
            access_key_id: format!("ASIA{}", random::hex_digits(16).to_uppercase()),
            secret_access_key: random::hex_digits(40),
            session_token: random::hex_digits(200),
            expires_at: now + lifetime,
        };
        let key = Key {
            principal,
            secret: credentials.secret_access_key.clone(),
            session_token: Some(credentials.session_token.clone()),
            expires_at: Some(credentials.expires_at),
        };
        let mut keys = self.keys.write().expect("no one panics while holding the keys");
        keys.insert(credentials.access_key_id.clone(), key);
        credentials
    }

    /// Ends the time of a key that was issued; the account's own pair has no end.
    pub fn expire(&self, access_key_id: &str, now: SystemTime) {
        let mut keys = self.keys.write().expect("no one panics while holding the keys");
        let key = keys.get_mut(access_key_id);
        if let Some(expires_at) = key.and_then(|key| key.expires_at.as_mut()) {
            *expires_at = now.min(*expires_at);
        }
    }

    pub fn find(&self, access_key_id: &str) -> Option<Key> {
        let keys = self.keys.read().expect("no one panics while holding the keys");
        keys.get(access_key_id).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_pair_is_refused_and_none_means_test() {
        let only = |name: &'static str| move |asked: &str| (asked == name).then(|| "x".to_owned());
        assert!(Keyring::from_environment(|_| None).expect("a keyring").find("test").is_some());
        let error = Keyring::from_environment(only("AWS_ACCESS_KEY_ID")).err().expect("half");
        assert_eq!(
            error.to_string(),
            "AWS_SECRET_ACCESS_KEY is not set although AWS_ACCESS_KEY_ID is; \
             set both, or neither (then test/test is taken)"
        );
        assert!(Keyring::from_environment(only("AWS_SECRET_ACCESS_KEY")).is_err());
    }
}
