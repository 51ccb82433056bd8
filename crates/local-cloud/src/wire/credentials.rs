//! The keys whose signatures are accepted: the pair that the cloud was given, or the pair of its
//! environment, or a random pair; and the short-lived credentials that the cloud issued. A pair that
//! everybody knows is accepted only if the owner of the cloud names it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::RwLock;
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};

use crate::account::ACCOUNT;
use crate::random_id;
use crate::serve_error::ServeError;

/// Shortest secret that counts as unknown to strangers. Secrets of AWS have 40 characters.
const SHORTEST_SECRET: usize = 20;

/// The pair of keys that a cloud accepts from its start on.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessKeyPair {
    /// For `AWS_ACCESS_KEY_ID`.
    pub access_key_id: String,
    /// For `AWS_SECRET_ACCESS_KEY`.
    pub secret_access_key: String,
    /// For `AWS_SESSION_TOKEN`. Where there is one, requests must carry it.
    pub session_token: Option<String>,
}

impl fmt::Debug for AccessKeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.access_key_id;
        f.debug_struct("AccessKeyPair").field("access_key_id", name).finish_non_exhaustive()
    }
}

impl AccessKeyPair {
    /// A pair without a session token.
    #[must_use]
    pub fn new(access_key_id: impl Into<String>, secret_access_key: impl Into<String>) -> Self {
        let (access_key_id, secret_access_key) = (access_key_id.into(), secret_access_key.into());
        Self { access_key_id, secret_access_key, session_token: None }
    }

    /// A random pair in the shape of those of AWS.
    pub(crate) fn draw() -> Self {
        let name = format!("AKIA{}", random_id::hex_digits(16).to_uppercase());
        Self::new(name, random_id::hex_digits(40))
    }

    /// Reads the pair with `variable`, which answers as the environment does; `None` without one.
    pub(crate) fn from_environment(
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, ServeError> {
        const ID: &str = "AWS_ACCESS_KEY_ID";
        const SECRET: &str = "AWS_SECRET_ACCESS_KEY";
        let given = |name: &str| variable(name).filter(|value| !value.is_empty());
        let half = |given, missing| Err(ServeError::HalfCredentials { given, missing });
        match (given(ID), given(SECRET)) {
            (Some(id), Some(secret)) => {
                let session_token = given("AWS_SESSION_TOKEN");
                Ok(Some(Self { session_token, ..Self::new(id, secret) }))
            }
            (None, None) => Ok(None),
            (Some(_), None) => half(ID, SECRET),
            (None, Some(_)) => half(SECRET, ID),
        }
    }

    /// Whether a stranger may know or guess the secret, for example `test`, a secret of AWS's
    /// documentation, or a word.
    pub(crate) fn is_guessable(&self) -> bool {
        let secret = &self.secret_access_key;
        let letters: BTreeSet<char> = secret.chars().collect();
        secret.chars().count() < SHORTEST_SECRET
            || letters.len() < SHORTEST_SECRET / 3
            || secret.to_uppercase().contains("EXAMPLE")
    }
}

/// Short-lived credentials that the cloud issued.
#[derive(Clone)]
pub struct IssuedCredentials {
    /// For `AWS_ACCESS_KEY_ID`.
    pub access_key_id: String,
    /// For `AWS_SECRET_ACCESS_KEY`.
    pub secret_access_key: String,
    /// For `AWS_SESSION_TOKEN`.
    pub session_token: String,
    /// From then on, calls with them are answered with `ExpiredTokenException`.
    pub expires_at: SystemTime,
}

impl fmt::Debug for IssuedCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedCredentials")
            .field("access_key_id", &self.access_key_id)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// Who signs with a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CallerPrincipal {
    /// The one user of the account.
    User,
    /// A session of a role, by the names of both.
    Session { role: String, session: String },
}

impl CallerPrincipal {
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

impl CallerPrincipal {
    /// Its id, which for a role stays the same: `AIDA...`, or `AROA...:SESSION`.
    ///
    /// Source: AWS IAM User Guide, "IAM identifiers".
    pub fn unique_id(&self) -> String {
        let of = |prefix: &str, name: &str| {
            let digits = hex::encode(Sha256::digest(name)).to_uppercase();
            format!("{prefix}{}", &digits[..17])
        };
        match self {
            Self::User => of("AIDA", "ci"),
            Self::Session { role, session } => format!("{}:{session}", of("AROA", role)),
        }
    }
}

/// One accepted key.
#[derive(Clone)]
pub(crate) struct AcceptedKey {
    pub principal: CallerPrincipal,
    pub secret: String,
    pub session_token: Option<String>,
    pub expires_at: Option<SystemTime>,
}

/// All accepted keys, by access key id.
pub(crate) struct AcceptedKeys {
    keys: RwLock<BTreeMap<String, AcceptedKey>>,
}

impl AcceptedKeys {
    /// Accepts this pair.
    pub fn new(pair: &AccessKeyPair) -> Self {
        let AccessKeyPair { access_key_id, secret_access_key, session_token } = pair.clone();
        let key = AcceptedKey {
            principal: CallerPrincipal::User,
            secret: secret_access_key,
            session_token,
            expires_at: None,
        };
        Self { keys: RwLock::new(BTreeMap::from([(access_key_id, key)])) }
    }

    /// Issues credentials for `principal` that expire after `lifetime`.
    pub fn issue(
        &self,
        principal: CallerPrincipal,
        now: SystemTime,
        lifetime: Duration,
    ) -> IssuedCredentials {
        let credentials = IssuedCredentials {
            access_key_id: format!("ASIA{}", random_id::hex_digits(16).to_uppercase()),
            secret_access_key: random_id::hex_digits(40),
            session_token: random_id::hex_digits(200),
            expires_at: now + lifetime,
        };
        let key = AcceptedKey {
            principal,
            secret: credentials.secret_access_key.clone(),
            session_token: Some(credentials.session_token.clone()),
            expires_at: Some(credentials.expires_at),
        };
        let mut keys = self.keys.write().expect("no one panics while holding the keys");
        keys.insert(credentials.access_key_id.clone(), key);
        credentials
    }

    /// Makes an issued key expire now. The account's own pair never expires.
    pub fn expire(&self, access_key_id: &str, now: SystemTime) {
        let mut keys = self.keys.write().expect("no one panics while holding the keys");
        let key = keys.get_mut(access_key_id);
        if let Some(expires_at) = key.and_then(|key| key.expires_at.as_mut()) {
            *expires_at = now.min(*expires_at);
        }
    }

    pub fn find(&self, access_key_id: &str) -> Option<AcceptedKey> {
        let keys = self.keys.read().expect("no one panics while holding the keys");
        keys.get(access_key_id).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_pair_is_refused_and_none_is_none() {
        let only = |name: &'static str| move |asked: &str| (asked == name).then(|| "x".to_owned());
        assert_eq!(AccessKeyPair::from_environment(|_| None).expect("no pair"), None);
        let half = AccessKeyPair::from_environment(only("AWS_ACCESS_KEY_ID"));
        assert_eq!(
            half.expect_err("half a pair").to_string(),
            "AWS_SECRET_ACCESS_KEY is not set although AWS_ACCESS_KEY_ID is; \
             set both, or neither (then a random pair is drawn)"
        );
        assert!(AccessKeyPair::from_environment(only("AWS_SECRET_ACCESS_KEY")).is_err());
        let whole = AccessKeyPair::from_environment(|name| Some(format!("my {name}")));
        let whole = whole.expect("a pair").expect("a pair");
        assert_eq!(whole.secret_access_key, "my AWS_SECRET_ACCESS_KEY");
        assert_eq!(whole.session_token.as_deref(), Some("my AWS_SESSION_TOKEN"));
    }

    #[test]
    fn a_drawn_pair_is_another_each_time_and_no_stranger_guesses_it() {
        let (one, other) = (AccessKeyPair::draw(), AccessKeyPair::draw());
        assert!(one != other && !one.is_guessable() && !other.is_guessable());
        assert!(AcceptedKeys::new(&one).find("test").is_none());
        assert!(!format!("{one:?}").contains(&one.secret_access_key));
        for known in [
            "test",
            "minioadmin",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "0123012301230123012301230123012301230123",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        ] {
            assert!(AccessKeyPair::new("AKIA", known).is_guessable(), "{known}");
        }
    }
}
