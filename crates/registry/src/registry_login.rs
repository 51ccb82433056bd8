//! The header by which a registry knows a user: HTTP Basic, or a token of its token service.
//!
//! It sends a password to the registry and to a token service with TLS alone, or on this machine.
//!
//! Source: "Token Authentication Specification" of the Distribution project.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fargate_aws::{AwsAccount, CallError};
use serde::Deserialize;
use url::Url;
use zeroize::Zeroizing;

use crate::challenge::LoginChallenge;
use crate::credentials::RegistryCredentials;
use crate::exchange::{RegistryExchange, RegistryRequest, is_loopback, parse};
use crate::registry_client::RegistryWords;
use crate::registry_error::RegistryError;

/// Who asks for which rights.
pub struct RegistryAuthorization<'a> {
    /// The registry, as people name it.
    pub registry: &'a str,
    /// Where it answers.
    pub base: &'a Url,
    /// The rights, such as `repository:team/ci:pull,push`.
    pub scopes: &'a [String],
    /// User and password, if there are any.
    pub credentials: Option<&'a RegistryCredentials>,
    /// What reaches the token service, and masks tokens.
    pub account: &'a AwsAccount,
}

#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
}

impl RegistryAuthorization<'_> {
    /// The value of the header `Authorization`. `challenges` are the values of `WWW-Authenticate`.
    pub async fn header(
        &self,
        exchange: &RegistryExchange<'_>,
        challenges: &[String],
    ) -> Result<Zeroizing<String>, RegistryError> {
        let mut challenges = challenges.iter().filter_map(|line| LoginChallenge::parse(line));
        match (challenges.next(), self.credentials) {
            (None, _) => Err(self.unusable("it asks for a login in an unknown way".to_owned())),
            (Some(LoginChallenge::Basic), None) => Err(self.needed()),
            (Some(LoginChallenge::Basic), Some(credentials)) => Ok(basic(credentials)),
            (Some(LoginChallenge::Token { realm, service }), _) => {
                let token = self.token(exchange, &realm, service.as_deref()).await?;
                Ok(Zeroizing::new(format!("Bearer {}", token.as_str())))
            }
        }
    }

    /// Asks the token service for the rights.
    async fn token(
        &self,
        exchange: &RegistryExchange<'_>,
        realm: &str,
        service: Option<&str>,
    ) -> Result<Zeroizing<String>, RegistryError> {
        let mut url = parse(realm).map_err(|error| self.not_reached(error))?;
        // Whoever may be asked without TLS may have such a token service, on this machine alone.
        if url.scheme() != "https" && !(self.base.scheme() == "http" && is_loopback(&url)) {
            let what = "its token service has no TLS, so no password is sent there".to_owned();
            return Err(self.unusable(what));
        }
        for scope in self.scopes {
            url.query_pairs_mut().append_pair("scope", scope);
        }
        if let Some(service) = service {
            url.query_pairs_mut().append_pair("service", service);
        }
        let authorization = self.credentials.map(basic);
        let request = RegistryRequest { url, accept: None, authorization };
        let answer = exchange.get(&request).await.map_err(|error| self.not_reached(error))?;
        match (answer.status, self.credentials) {
            (200..300, _) => {}
            (400 | 401 | 403, Some(credentials)) => {
                let user = credentials.username().to_owned();
                return Err(RegistryError::LoginRefused { registry: self.registry(), user });
            }
            (401 | 403, None) => return Err(self.needed()),
            (429, _) => {
                let message = RegistryWords::of(&answer.body).message;
                let message = self.account.masker().within(&message, 200);
                return Err(RegistryError::Limited { registry: self.registry(), message });
            }
            (status, _) => {
                return Err(self.unusable(format!("its token service gave HTTP status {status}")));
            }
        }
        let token = serde_json::from_slice::<TokenAnswer>(&answer.body).ok();
        let token = token.and_then(|answer| answer.token.or(answer.access_token));
        let token = token.map(Zeroizing::new).filter(|token| is_token(token));
        let token =
            token.ok_or_else(|| self.unusable("its token service gave no token".to_owned()))?;
        self.account.masker().remember(&token);
        Ok(token)
    }

    fn registry(&self) -> String {
        self.registry.to_owned()
    }

    fn needed(&self) -> RegistryError {
        RegistryError::LoginNeeded { registry: self.registry() }
    }

    fn not_reached(&self, error: CallError) -> RegistryError {
        RegistryError::NotReached { registry: self.registry(), error }
    }

    fn unusable(&self, what: String) -> RegistryError {
        RegistryError::Unusable { registry: self.registry(), what }
    }
}

fn basic(credentials: &RegistryCredentials) -> Zeroizing<String> {
    let pair = format!("{}:{}", credentials.username(), credentials.password());
    let pair = Zeroizing::new(pair);
    Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())))
}

/// Whether a header can carry the token.
fn is_token(token: &str) -> bool {
    !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic())
}
