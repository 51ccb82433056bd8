//! Sessions of browsers that signed in with a token. They live in memory: a restart signs everybody out.
//!
//! The cookie holds random bits and nothing else. What a page sends with a change proves that the page is
//! ours: a value that belongs to the session and that no other site can read.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::access_token::{AccessRole, AccessToken, hash_of, is_equal};

/// The name of the cookie.
pub const SESSION_COOKIE: &str = "fargate_runner_session";
/// How long a session lasts. Ours: a working day.
pub const SESSION_TIME: Duration = Duration::from_hours(12);
/// Most sessions. The oldest one ends when there would be more.
const MAX_SESSIONS: usize = 10_000;

/// One signed-in browser.
#[derive(Clone, Debug)]
struct BrowserSession {
    name: String,
    role: AccessRole,
    /// The token by which it signed in: when the configuration loses it, the session ends.
    token: [u8; 32],
    began: Instant,
}

/// All sessions of this process.
#[derive(Debug)]
pub struct SessionTable {
    sessions: Mutex<HashMap<[u8; 32], BrowserSession>>,
    /// What proofs of pages are made with.
    secret: [u8; 32],
}

impl SessionTable {
    /// A table without sessions.
    ///
    /// # Errors
    ///
    /// The operating system's, if it gives no random bits.
    pub fn new() -> std::io::Result<Self> {
        let secret = fargate_model::random::bytes()?;
        Ok(Self { sessions: Mutex::default(), secret })
    }

    /// Begins a session. The answer is the value of the cookie.
    ///
    /// # Errors
    ///
    /// The operating system's, if it gives no random bits.
    pub fn begin(&self, token: &AccessToken) -> std::io::Result<String> {
        let value = hex::encode(fargate_model::random::bytes::<32>()?);
        let session = BrowserSession {
            name: token.name.clone(),
            role: token.role,
            token: token.sha256,
            began: Instant::now(),
        };
        let mut sessions = self.lock();
        sessions.retain(|_, session| session.began.elapsed() < SESSION_TIME);
        if sessions.len() >= MAX_SESSIONS {
            let oldest = sessions.iter().min_by_key(|(_, session)| session.began);
            let oldest = oldest.map(|(key, _)| *key);
            oldest.map(|key| sessions.remove(&key));
        }
        sessions.insert(hash_of(&value), session);
        Ok(value)
    }

    /// Who signed in with this cookie.
    #[must_use]
    pub fn find(&self, value: &str, tokens: &[AccessToken]) -> Option<(String, AccessRole)> {
        let sessions = self.lock();
        let session = sessions.get(&hash_of(value))?;
        let is_young = session.began.elapsed() < SESSION_TIME;
        let is_known = tokens.iter().any(|token| token.sha256 == session.token);
        (is_young && is_known).then(|| (session.name.clone(), session.role))
    }

    /// Ends a session.
    pub fn end(&self, value: &str) {
        self.lock().remove(&hash_of(value));
    }

    /// What a page of `caller` sends with a change.
    #[must_use]
    pub fn page_proof(&self, caller: &str) -> String {
        let mut hash = Sha256::new();
        hash.update(self.secret);
        hash.update(caller.as_bytes());
        hex::encode(&hash.finalize()[..16])
    }

    /// Whether a page of `caller` sent `given`.
    #[must_use]
    pub fn is_page_proof(&self, caller: &str, given: &str) -> bool {
        is_equal(self.page_proof(caller).as_bytes(), given.as_bytes())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<[u8; 32], BrowserSession>> {
        self.sessions.lock().expect("no one panics while holding the sessions")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_with_its_token_or_when_it_is_ended() {
        let table = SessionTable::new().unwrap();
        let token =
            AccessToken { name: "anna".to_owned(), role: AccessRole::Operator, sha256: [7; 32] };
        let value = table.begin(&token).unwrap();
        let known = [token];
        assert_eq!(table.find(&value, &known).unwrap().0, "anna");
        assert!(table.find(&value, &[]).is_none(), "the token was taken out of the configuration");
        assert!(table.find("guess", &known).is_none());
        table.end(&value);
        assert!(table.find(&value, &known).is_none());
    }

    #[test]
    fn the_proof_of_a_page_belongs_to_one_caller_of_one_process() {
        let (table, other) = (SessionTable::new().unwrap(), SessionTable::new().unwrap());
        let proof = table.page_proof("anna");
        assert!(table.is_page_proof("anna", &proof));
        assert!(!table.is_page_proof("ben", &proof) && !other.is_page_proof("anna", &proof));
    }
}
