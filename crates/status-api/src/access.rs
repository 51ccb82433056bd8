//! Who sends a request, and what they may do.
//!
//! On loopback nobody needs a token unless the configuration asks for one. Anywhere else a caller shows a
//! token, a session of a browser that signed in with one, or comes through a proxy that is listed and
//! that tells who it is. Without any of these a caller sees states and numbers, if the configuration
//! allows even that, and no name.

pub mod access_token;
mod browser_session;
mod caller_address;
mod request_origin;

use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use axum::http::request::Parts;
use axum::http::{HeaderMap, header};

use crate::ApiProblem;
use access_token::{AccessRole, AccessToken};
use browser_session::SessionTable;
pub use browser_session::{SESSION_COOKIE, SESSION_TIME};
pub use caller_address::AddressRange;
pub use request_origin::AllowedNames;

/// The header by which a page proves that it is ours.
pub const PAGE_PROOF_HEADER: &str = "x-csrf-token";
/// Wrong tokens that are answered within [`ATTEMPT_WINDOW`]; more are refused unread.
const MAX_ATTEMPTS: usize = 20;
const ATTEMPT_WINDOW: Duration = Duration::from_secs(10);

/// What the configuration says of callers.
#[derive(Clone, Debug, Default)]
pub struct AccessSettings {
    /// Hosts and sites beside this machine's own.
    pub names: AllowedNames,
    /// Tokens.
    pub tokens: Vec<AccessToken>,
    /// Whom a program or a person on this machine is taken for, without a token.
    pub local_role: Option<AccessRole>,
    /// Whether callers who did not sign in see states and numbers without names.
    pub is_public: bool,
    /// The proxy that signs people in.
    pub proxy: Option<TrustedProxy>,
}

/// A proxy in front that signs people in, by `OpenID` Connect for example, and tells who they are.
#[derive(Clone, Debug)]
pub struct TrustedProxy {
    /// Its addresses.
    pub addresses: Vec<AddressRange>,
    /// The header with the person's name, in lower case.
    pub user_header: String,
    /// People who are operators.
    pub operators: Vec<String>,
}

/// Both ends of a connection.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionEnds {
    /// The client.
    pub peer: SocketAddr,
    /// The address of this machine at which it arrived.
    pub arrived_at: SocketAddr,
}

/// How a caller is known.
#[derive(Clone, Debug, PartialEq, Eq)]
enum CallerProof {
    /// Not at all.
    Nothing,
    /// It is on this machine.
    Local,
    /// A token of the request.
    Token,
    /// A cookie; its value.
    Session(String),
    /// The listed proxy.
    Proxy,
}

/// Who sends a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestCaller {
    name: String,
    role: Option<AccessRole>,
    proof: CallerProof,
}

impl RequestCaller {
    /// A name for the audit log.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The role; `None`: did not sign in.
    #[must_use]
    pub fn role(&self) -> Option<AccessRole> {
        self.role
    }

    /// Whether names of private projects may be shown.
    #[must_use]
    pub fn is_signed_in(&self) -> bool {
        self.role.is_some()
    }

    /// Whether tasks may be stopped, and the host paused.
    #[must_use]
    pub fn is_operator(&self) -> bool {
        self.role == Some(AccessRole::Operator)
    }

    /// A problem as this caller may see it: who did not sign in learns no place of this host.
    #[must_use]
    pub fn shown(&self, problem: ApiProblem) -> ApiProblem {
        match problem {
            ApiProblem::NoHistory(_) if !self.is_signed_in() => {
                ApiProblem::NoHistory("who signs in sees why".to_owned())
            }
            problem => problem,
        }
    }

    /// What the proof of a page is made of.
    fn page_identity(&self) -> String {
        match &self.proof {
            CallerProof::Session(value) => format!("session {value}"),
            proof => format!("{proof:?} {}", self.name),
        }
    }
}

/// Judges callers.
#[derive(Debug)]
pub struct AccessPolicy {
    settings: AccessSettings,
    sessions: SessionTable,
    attempts: Mutex<Vec<Instant>>,
}

impl AccessPolicy {
    /// A policy without sessions.
    ///
    /// # Errors
    ///
    /// The operating system's, if it gives no random bits.
    pub fn new(settings: AccessSettings) -> std::io::Result<Self> {
        Ok(Self { settings, sessions: SessionTable::new()?, attempts: Mutex::default() })
    }

    /// Whether somebody can sign in with a token.
    #[must_use]
    pub fn has_tokens(&self) -> bool {
        !self.settings.tokens.is_empty()
    }

    /// Refuses requests that a page of another site may have sent.
    ///
    /// # Errors
    ///
    /// As [`AllowedNames::check`].
    pub fn check_site(&self, parts: &Parts, ends: ConnectionEnds) -> Result<(), ApiProblem> {
        self.settings.names.check(parts, ends.arrived_at.ip())
    }

    /// Who sends the request.
    ///
    /// # Errors
    ///
    /// Returns [`ApiProblem::WrongToken`] if it shows a token that is not known, and
    /// [`ApiProblem::ManyAttempts`] after too many of these.
    pub fn caller(
        &self,
        headers: &HeaderMap,
        ends: ConnectionEnds,
    ) -> Result<RequestCaller, ApiProblem> {
        if let Some(token) = bearer(headers) {
            let token = self.token(token)?;
            let (name, role) = (token.name.clone(), Some(token.role));
            return Ok(RequestCaller { name, role, proof: CallerProof::Token });
        }
        if let Some(value) = session_cookie(headers)
            && let Some((name, role)) = self.sessions.find(value, &self.settings.tokens)
        {
            let proof = CallerProof::Session(value.to_owned());
            return Ok(RequestCaller { name, role: Some(role), proof });
        }
        Ok(self.by_address(headers, ends))
    }

    /// Who comes from this address.
    fn by_address(&self, headers: &HeaderMap, ends: ConnectionEnds) -> RequestCaller {
        let nobody = RequestCaller {
            name: "not signed in".to_owned(),
            role: None,
            proof: CallerProof::Nothing,
        };
        let peer = ends.peer.ip().to_canonical();
        if let Some(proxy) = &self.settings.proxy
            && proxy.addresses.iter().any(|range| range.holds(peer))
        {
            return proxy.caller(headers).unwrap_or(nobody);
        }
        // What another proxy passes on comes from anywhere.
        let is_forwarded = ["forwarded", "x-forwarded-for", "x-real-ip", "via"]
            .iter()
            .any(|name| headers.contains_key(*name));
        match self.settings.local_role {
            Some(role) if peer.is_loopback() && !is_forwarded => RequestCaller {
                name: "somebody on this machine".to_owned(),
                role: Some(role),
                proof: CallerProof::Local,
            },
            _ => nobody,
        }
    }

    /// The caller may see what this server shows without names.
    ///
    /// # Errors
    ///
    /// Returns [`ApiProblem::NotSignedIn`].
    pub fn may_look(&self, caller: &RequestCaller) -> Result<(), ApiProblem> {
        match caller.is_signed_in() || self.settings.is_public {
            true => Ok(()),
            false => Err(ApiProblem::NotSignedIn),
        }
    }

    /// The caller may change something: it is an operator, and a page of ours sent the request if a
    /// browser did.
    ///
    /// # Errors
    ///
    /// Returns [`ApiProblem::NotSignedIn`], [`ApiProblem::NotAllowed`] or [`ApiProblem::NoProofOfPage`].
    pub fn may_change(
        &self,
        caller: &RequestCaller,
        page_proof: Option<&str>,
    ) -> Result<(), ApiProblem> {
        match caller.role {
            None => return Err(ApiProblem::NotSignedIn),
            Some(AccessRole::Viewer) => return Err(ApiProblem::NotAllowed(caller.name.clone())),
            Some(AccessRole::Operator) => {}
        }
        // No browser adds a token to a request by itself.
        if caller.proof == CallerProof::Token {
            return Ok(());
        }
        let is_proven = page_proof
            .is_some_and(|given| self.sessions.is_page_proof(&caller.page_identity(), given));
        if is_proven { Ok(()) } else { Err(ApiProblem::NoProofOfPage) }
    }

    /// What pages of this caller send with a change.
    #[must_use]
    pub fn page_proof(&self, caller: &RequestCaller) -> String {
        self.sessions.page_proof(&caller.page_identity())
    }

    /// Begins the session of a browser. The answer is the value of its cookie.
    ///
    /// # Errors
    ///
    /// As [`AccessPolicy::caller`] for the token.
    pub fn sign_in(&self, token: &str) -> Result<String, ApiProblem> {
        let token = self.token(token.trim())?;
        self.sessions
            .begin(token)
            .map_err(|error| ApiProblem::NotDone(format!("beginning a session: {error}")))
    }

    /// Ends the session of a browser.
    pub fn sign_out(&self, headers: &HeaderMap) {
        if let Some(value) = session_cookie(headers) {
            self.sessions.end(value);
        }
    }

    fn token(&self, given: &str) -> Result<&AccessToken, ApiProblem> {
        let mut attempts = self.attempts.lock().expect("no one panics while holding the attempts");
        attempts.retain(|attempt| attempt.elapsed() < ATTEMPT_WINDOW);
        if let Some(token) = access_token::find(&self.settings.tokens, given) {
            return Ok(token);
        }
        if attempts.len() >= MAX_ATTEMPTS {
            return Err(ApiProblem::ManyAttempts);
        }
        attempts.push(Instant::now());
        Err(ApiProblem::WrongToken)
    }
}

impl TrustedProxy {
    fn caller(&self, headers: &HeaderMap) -> Option<RequestCaller> {
        let mut values = headers.get_all(&self.user_header).iter();
        let name = values.next()?.to_str().ok()?.trim();
        // Two names: one of them did not come from the proxy.
        if name.is_empty() || values.next().is_some() {
            return None;
        }
        let is_operator = self.operators.iter().any(|operator| operator == name);
        let role = if is_operator { AccessRole::Operator } else { AccessRole::Viewer };
        let name = fargate_model::text::escape_within(name, 80);
        Some(RequestCaller { name, role: Some(role), proof: CallerProof::Proxy })
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

fn session_cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter();
    let pairs = cookies.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(';'));
    let mut named = pairs.filter_map(|pair| pair.trim().split_once('='));
    named.find(|(name, _)| *name == SESSION_COOKIE).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::access_token::new_token;
    use super::*;
    use axum::http::HeaderValue;

    fn ends(peer: &str) -> ConnectionEnds {
        let arrived_at = "10.0.0.9:9253".parse().unwrap();
        ConnectionEnds { peer: peer.parse().unwrap(), arrived_at }
    }

    fn headers(given: &[(&'static str, &str)]) -> HeaderMap {
        given
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    fn policy(change: impl FnOnce(&mut AccessSettings)) -> AccessPolicy {
        let mut settings = AccessSettings::default();
        change(&mut settings);
        AccessPolicy::new(settings).unwrap()
    }

    #[test]
    fn only_somebody_on_this_machine_needs_no_token() {
        let policy = policy(|settings| settings.local_role = Some(AccessRole::Viewer));
        let role = |peer, given: &[_]| policy.caller(&headers(given), ends(peer)).unwrap().role;
        assert_eq!(role("127.0.0.1:5", &[]), Some(AccessRole::Viewer));
        assert_eq!(role("[::ffff:127.0.0.1]:5", &[]), Some(AccessRole::Viewer));
        assert_eq!(role("10.0.0.7:5", &[]), None);
        let forwarded = [("x-forwarded-for", "10.0.0.7")];
        assert_eq!(role("127.0.0.1:5", &forwarded), None, "a proxy on this machine passed it on");
    }

    #[test]
    fn the_header_of_a_proxy_counts_from_its_addresses_alone_and_once() {
        let policy = policy(|settings| {
            settings.proxy = Some(TrustedProxy {
                addresses: vec!["10.0.1.0/24".parse().unwrap()],
                user_header: "x-auth-request-email".to_owned(),
                operators: vec!["anna@example.org".to_owned()],
            });
        });
        let caller = |peer, given: &[_]| policy.caller(&headers(given), ends(peer)).unwrap();
        let anna = [("x-auth-request-email", "anna@example.org")];
        let ben = [("x-auth-request-email", "ben@example.org")];
        assert!(caller("10.0.1.4:5", &anna).is_operator());
        assert_eq!(caller("10.0.1.4:5", &ben).role, Some(AccessRole::Viewer));
        assert_eq!(caller("10.0.2.4:5", &anna).role, None, "not the proxy");
        assert_eq!(caller("10.0.1.4:5", &[anna[0], ben[0]]).role, None, "two names");
        assert_eq!(caller("10.0.1.4:5", &[]).role, None);
    }

    #[test]
    fn a_change_of_a_browser_needs_the_proof_of_its_page_and_one_by_token_does_not() {
        let (token, hash) = new_token().unwrap();
        let sha256 = access_token::parse_hash(&hash).unwrap();
        let name = "anna".to_owned();
        let known = AccessToken { name, role: AccessRole::Operator, sha256 };
        let policy = policy(|settings| settings.tokens = vec![known]);
        let peer = ends("10.0.0.7:5");
        let bearer = headers(&[("authorization", &format!("Bearer {token}"))]);
        let program = policy.caller(&bearer, peer).unwrap();
        assert_eq!(policy.may_change(&program, None), Ok(()));

        let cookie = policy.sign_in(&token).unwrap();
        let cookie = headers(&[("cookie", &format!("a=b; {SESSION_COOKIE}={cookie}"))]);
        let browser = policy.caller(&cookie, peer).unwrap();
        assert_eq!(policy.may_change(&browser, None), Err(ApiProblem::NoProofOfPage));
        assert_eq!(policy.may_change(&browser, Some("guess")), Err(ApiProblem::NoProofOfPage));
        let proof = policy.page_proof(&browser);
        assert_eq!(policy.may_change(&browser, Some(&proof)), Ok(()));
        policy.sign_out(&cookie);
        assert_eq!(policy.caller(&cookie, peer).unwrap().role, None);
    }

    #[test]
    fn wrong_tokens_are_refused_and_soon_not_even_compared() {
        let policy = policy(|_| {});
        let wrong = headers(&[("authorization", "Bearer guess")]);
        for _ in 0..MAX_ATTEMPTS {
            let refused = policy.caller(&wrong, ends("10.0.0.7:5")).unwrap_err();
            assert_eq!(refused, ApiProblem::WrongToken);
        }
        let refused = policy.caller(&wrong, ends("10.0.0.7:5")).unwrap_err();
        assert_eq!(refused, ApiProblem::ManyAttempts);
    }
}
