//! How requests about a repository are sent: with the login that the registry asks for, to which servers, and
//! what a refusal says. What they are about is not known here.

use std::sync::PoisonError;
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use fargate_aws::{CallError, StreamedAnswer, StreamedBody};
use url::Url;
use zeroize::Zeroizing;

use super::{LOGIN_TIME, RepositoryRights, RepositorySession};
use crate::exchange::{MAX_REDIRECTS, RegistryExchange, RegistryRequest, is_redirect, redirected};
use crate::registry_client::RegistryWords;
use crate::registry_login::RegistryAuthorization;
use crate::repository_error::RepositoryError;

/// Longest refusal that is read.
const LONGEST_REFUSAL: usize = 64 * 1024;
/// Most of a registry's words that are shown, in characters.
const LONGEST_WORDS: usize = 300;
/// Longest pause that a registry's `Retry-After` may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// A request with a body that can be sent again.
pub(super) struct RepositoryRequest<'a> {
    pub doing: &'a str,
    pub method: &'static str,
    pub url: Url,
    pub headers: &'a [(&'static str, &'a str)],
    pub body: &'a [u8],
}

impl RepositorySession {
    /// A request without a body, with redirects followed.
    pub(super) async fn read(
        &self,
        doing: &str,
        method: &'static str,
        url: Url,
        accept: Option<&'static str>,
    ) -> Result<StreamedAnswer, RepositoryError> {
        let accepted = accept.map(|accept| [("accept", accept)]);
        let headers = accepted.as_ref().map(<[_; 1]>::as_slice).unwrap_or_default();
        let request = RepositoryRequest { doing, method, url: url.clone(), headers, body: &[] };
        let mut answer = self.with_login(&request).await?;
        let authorization = self.authorization();
        let mut next = RegistryRequest { url, accept, authorization };
        for _ in 0..MAX_REDIRECTS {
            let Some(place) = answer.header("location").filter(|_| is_redirect(answer.status))
            else {
                return Ok(answer);
            };
            next = redirected(next, place).map_err(|error| self.not_reached(doing, error))?;
            let authorization = next.authorization.clone();
            let request = self.request(doing, method, &next.url, headers, authorization)?;
            answer = self.send(doing, &next.url, request, None).await?;
        }
        Err(self.unusable(doing, format!("more than {MAX_REDIRECTS} redirects")))
    }

    /// A request that changes something. It is sent to the registry's own server alone.
    pub(super) async fn write(
        &self,
        request: &RepositoryRequest<'_>,
    ) -> Result<StreamedAnswer, RepositoryError> {
        let answer = self.with_login(request).await?;
        if !is_redirect(answer.status) {
            return Ok(answer);
        }
        let place = answer.header("location").and_then(|place| request.url.join(place).ok());
        if let Some(place) = place {
            self.require_own(request.doing, &place)?;
        }
        Err(self.unusable(request.doing, format!("HTTP status {}, a redirect", answer.status)))
    }

    /// Sends a request, and sends it again with a login if the registry asks for one.
    pub(super) async fn with_login(
        &self,
        request: &RepositoryRequest<'_>,
    ) -> Result<StreamedAnswer, RepositoryError> {
        let first = self.send_once(request).await?;
        if first.status != 401 {
            return Ok(first);
        }
        let challenges: Vec<_> =
            first.headers_named("www-authenticate").map(str::to_owned).collect();
        let login = RegistryAuthorization {
            registry: self.access.image.registry(),
            base: &self.base,
            scopes: &self.scopes(),
            credentials: self.access.credentials.as_ref(),
            account: &self.account,
        };
        let exchange = RegistryExchange::begin(&self.account, LOGIN_TIME);
        let header = login
            .header(&exchange, &challenges)
            .await
            .map_err(|error| RepositoryError::Login(Box::new(error)))?;
        self.set_authorization(Some(header));
        self.send_once(request).await
    }

    pub(super) async fn send_once(
        &self,
        request: &RepositoryRequest<'_>,
    ) -> Result<StreamedAnswer, RepositoryError> {
        let RepositoryRequest { doing, method, url, headers, body } = request;
        let mut made = self.request(doing, method, url, headers, self.authorization())?;
        *made.body_mut() = SdkBody::from(*body);
        self.send(doing, url, made, None).await
    }

    pub(super) async fn send(
        &self,
        doing: &str,
        url: &Url,
        request: HttpRequest,
        body: Option<StreamedBody>,
    ) -> Result<StreamedAnswer, RepositoryError> {
        let who = url.host_str().unwrap_or("the registry");
        let answer = self.account.stream(who, request, body, self.access.stall).await;
        answer.map_err(|error| self.not_reached(doing, error))
    }

    pub(super) fn request(
        &self,
        doing: &str,
        method: &str,
        url: &Url,
        headers: &[(&'static str, &str)],
        authorization: Option<Zeroizing<String>>,
    ) -> Result<HttpRequest, RepositoryError> {
        let not_made = |what: &str| self.unusable(doing, format!("making the request: {what}"));
        let mut made = HttpRequest::new(SdkBody::empty());
        made.set_method(method).map_err(|_| not_made("the method"))?;
        made.set_uri(url.as_str()).map_err(|_| not_made("the URL"))?;
        let agent = [("user-agent", "fargate-runner")];
        for (name, value) in agent.iter().chain(headers) {
            let inserted = made.headers_mut().try_insert(*name, (*value).to_owned());
            inserted.map_err(|_| not_made(name))?;
        }
        if let Some(authorization) = authorization {
            let inserted =
                made.headers_mut().try_insert("authorization", authorization.to_string());
            inserted.map_err(|_| not_made("the login cannot be sent in a header"))?;
        }
        Ok(made)
    }

    pub(super) async fn refusal(
        &self,
        doing: &str,
        answer: &mut StreamedAnswer,
    ) -> RepositoryError {
        self.refusal_as(doing, answer, true).await
    }

    pub(super) async fn refusal_as(
        &self,
        doing: &str,
        answer: &mut StreamedAnswer,
        is_final: bool,
    ) -> RepositoryError {
        let status = answer.status;
        let retry_after = answer.header("retry-after").and_then(|text| text.trim().parse().ok());
        let retry_after =
            retry_after.map(|seconds| Duration::from_secs(seconds).min(LONGEST_PAUSE));
        let body = answer.whole(LONGEST_REFUSAL).await.unwrap_or_default();
        let words = RegistryWords::of(&body);
        let masked = |text: &str| self.account.masker().within(text, LONGEST_WORDS);
        let (registry, doing, code) = (self.registry(), doing.to_owned(), masked(&words.code));
        let message = match (words.message.is_empty(), body.first()) {
            (false, _) => format!(": {}", masked(&words.message)),
            (true, Some(b'<')) => {
                ": it sent a web page, so another server may stand before it".into()
            }
            (true, _) => String::new(),
        };
        match status {
            401 | 403 if is_final => {
                let who = match &self.access.credentials {
                    Some(credentials) => format!("user `{}`", credentials.username()),
                    None => "those without a login".to_owned(),
                };
                RepositoryError::Denied { registry, doing, who, status, message }
            }
            _ => RepositoryError::Refused { registry, doing, status, code, message, retry_after },
        }
    }

    pub(super) fn scopes(&self) -> Vec<String> {
        let actions = match self.access.rights {
            RepositoryRights::Pull => "pull",
            RepositoryRights::PullAndPush => "pull,push",
            RepositoryRights::PullAndDelete => "pull,delete",
        };
        let own = format!("repository:{}:{actions}", self.access.image.repository());
        let others = self.access.mount_from.iter();
        std::iter::once(own).chain(others.map(|from| format!("repository:{from}:pull"))).collect()
    }

    pub(super) fn url(&self, doing: &str, path: &str) -> Result<Url, RepositoryError> {
        let url = self.base.join(&format!("{}/{path}", self.access.image.repository()));
        url.map_err(|error| self.unusable(doing, format!("making the URL: {error}")))
    }

    pub(super) fn authorization(&self) -> Option<Zeroizing<String>> {
        self.authorization.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_authorization(&self, header: Option<Zeroizing<String>>) {
        *self.authorization.lock().unwrap_or_else(PoisonError::into_inner) = header;
    }

    pub(super) fn registry(&self) -> String {
        self.access.image.registry().to_owned()
    }

    pub(super) fn not_reached(&self, doing: &str, error: CallError) -> RepositoryError {
        let (registry, doing, error) = (self.registry(), doing.to_owned(), Box::new(error));
        RepositoryError::NotReached { registry, doing, error }
    }

    pub(super) fn unusable(&self, doing: &str, what: String) -> RepositoryError {
        RepositoryError::Unusable { registry: self.registry(), doing: doing.to_owned(), what }
    }
}

impl<'a> RepositoryRequest<'a> {
    pub fn post(doing: &'a str, url: Url) -> Self {
        Self { doing, method: "POST", url, headers: &[("content-length", "0")], body: &[] }
    }
}
