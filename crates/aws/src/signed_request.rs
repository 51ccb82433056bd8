//! Sends a signed request to a service whose SDK crate is not linked, and reads the whole answer.
//!
//! It sends the request once, and once more if the service says that this host's clock is wrong and
//! what time it is. Nothing else is retried.
//!
//! A single call is not worth the SDK's crate: that costs minutes to compile (EC2's takes 8 minutes
//! of CPU and 7.6 GB of memory), and memory in every process of a job.

use std::time::SystemTime;

use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::DateTime;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::date_time::Format;
use tokio::time::timeout;

use crate::account::AwsAccount;
use crate::call::{CallError, OF_CREDENTIALS, OF_SIGNATURES, is_of_clock};
use crate::endpoints::host;

/// One request before it is signed.
pub struct UnsignedRequest<'a> {
    /// The service's name for people.
    pub who: &'static str,
    /// The service's name in the signature.
    pub service: &'static str,
    /// The Region of the signature.
    pub region: &'a str,
    /// The URL.
    pub endpoint: String,
    /// Headers in addition to `Host` and those of the signature.
    pub headers: &'a [(&'static str, &'static str)],
    /// The body.
    pub body: String,
    /// Longest answer that is read, in bytes.
    pub longest: usize,
}

/// An answer, whatever it says.
pub struct RawResponse {
    /// The HTTP status.
    pub status: u16,
    /// The whole body.
    pub body: String,
    /// The server's time, if it told it.
    pub time: Option<SystemTime>,
}

impl RawResponse {
    fn is_of_credentials(&self) -> bool {
        self.status >= 400 && OF_CREDENTIALS.iter().any(|code| self.body.contains(code))
    }

    fn is_of_clock(&self) -> bool {
        let codes = OF_SIGNATURES.iter().filter(|code| self.body.contains(*code));
        self.status >= 400 && codes.into_iter().any(|code| is_of_clock(code, &self.body))
    }
}

impl AwsAccount {
    /// Sends the request. It takes at most the time of one attempt.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if no complete answer came.
    pub(crate) async fn ask(
        &self,
        question: UnsignedRequest<'_>,
    ) -> Result<RawResponse, CallError> {
        let used = self.ready().await?;
        let said = self.ask_in_time(&question).await?;
        if said.is_of_credentials() && self.has_others_than(&used).await? {
            return self.ask_in_time(&question).await;
        }
        Ok(said)
    }

    async fn ask_in_time(&self, question: &UnsignedRequest<'_>) -> Result<RawResponse, CallError> {
        let asked = async {
            let said = self.ask_at(question, SystemTime::now()).await?;
            match said.time.filter(|_| said.is_of_clock()) {
                Some(time) => self.ask_at(question, time).await,
                None => Ok(said),
            }
        };
        timeout(self.attempt, asked).await.unwrap_or_else(|_| {
            let (who, ms) = (question.who, self.attempt.as_millis());
            Err(CallError::NoAnswer { text: format!("{who} did not answer within {ms} ms") })
        })
    }

    async fn ask_at(
        &self,
        question: &UnsignedRequest<'_>,
        time: SystemTime,
    ) -> Result<RawResponse, CallError> {
        let request = self.signed(question, time).await?;
        let answer = self.http.send(request, &self.connection()).await;
        let answer = answer.map_err(|error| CallError::of_connector(&error, &self.masker))?;
        let status = answer.status().as_u16();
        let time = date_of(&answer);
        Ok(RawResponse { status, body: body(question.who, answer, question.longest)?, time })
    }

    async fn signed(
        &self,
        question: &UnsignedRequest<'_>,
        time: SystemTime,
    ) -> Result<HttpRequest, CallError> {
        let not_sent = |text: String| CallError::NotSent { text };
        let UnsignedRequest { who, service, region, endpoint, body, .. } = question;
        let host = host(endpoint).ok_or_else(|| {
            let text = format!("the endpoint {endpoint:?} of {who} is no URL");
            CallError::Endpoint { text }
        })?;
        let given = question.headers.iter().map(|(name, value)| (*name, (*value).to_owned()));
        let mut headers: Vec<(String, String)> =
            given.chain([("host", host)]).map(|(name, value)| (name.to_owned(), value)).collect();
        let identity = self.credentials().await?.into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region(region)
            .name(service)
            .time(time)
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| not_sent(format!("signing the request: {error}")))?
            .into();
        let signable = SignableRequest::new(
            "POST",
            endpoint.clone(),
            headers.iter().map(|(name, value)| (name.as_str(), value.as_str())),
            SignableBody::Bytes(body.as_bytes()),
        )
        .and_then(|signable| sign(signable, &params));
        let (instructions, _) = signable
            .map_err(|error| not_sent(format!("signing the request: {error}")))?
            .into_parts();
        headers.extend(
            instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        let mut request = HttpRequest::new(SdkBody::from(body.clone()));
        let refused =
            |error: &dyn std::fmt::Display| not_sent(format!("making the request: {error}"));
        request.set_method("POST").map_err(|error| refused(&error))?;
        request.set_uri(endpoint.as_str()).map_err(|error| refused(&error))?;
        for (name, value) in headers {
            request.headers_mut().try_insert(name, value).map_err(|error| refused(&error))?;
        }
        Ok(request)
    }
}

/// The time in the `Date` header of an answer, in whole seconds, and the moment when it came.
#[must_use]
pub fn date_of(answer: &HttpResponse) -> Option<SystemTime> {
    let date = DateTime::from_str(answer.headers().get("date")?, Format::HttpDate).ok()?;
    SystemTime::try_from(date).ok()
}

/// The HTTP client has already read all of it.
pub(crate) fn body(who: &str, answer: HttpResponse, longest: usize) -> Result<String, CallError> {
    let unreadable = |text: String| CallError::Unreadable { text };
    let bytes = answer.body().bytes().unwrap_or_default();
    if bytes.len() > longest {
        return Err(unreadable(format!("{who}'s answer is longer than {longest} bytes")));
    }
    let text = String::from_utf8(bytes.to_vec());
    text.map_err(|_| unreadable(format!("{who}'s answer is no text")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_url_with_a_host() {
        assert_eq!(host("http://[::1]:4000/"), Some("[::1]:4000".to_owned()));
        assert_eq!(host("https://ec2.eu-west-1.api.aws"), Some("ec2.eu-west-1.api.aws".to_owned()));
        for odd in ["", "nonsense", "http://", "ftp://ec2", "http://a b"] {
            assert_eq!(host(odd), None, "{odd}");
        }
    }
}
