//! Sends requests to a web server that has nothing to do with an AWS account, such as a webhook: on the same
//! proxies and with the same trusted certificates, and without any credentials.
//!
//! It follows no redirect and retries nothing.

use std::time::Duration;

use aws_smithy_runtime_api::client::http::HttpConnectorSettings;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use fargate_config::JobProfile;
use fargate_mask::SharedMasker;
use fargate_model::cause::CauseReport;
use tokio::time::timeout;

use crate::call::CallError;
use crate::http::AwsHttpClient;
use crate::signed_request::body;

/// A client of web servers.
#[derive(Clone, Debug)]
pub struct WebClient {
    http: AwsHttpClient,
    masker: SharedMasker,
    limit: Duration,
}

/// A request to a web server. Its `Debug` shows neither the URL nor the body.
#[derive(Clone, Default)]
pub struct WebRequest {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// The URL, which may be a secret.
    pub url: String,
    /// Headers beside `Host`.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: String,
}

impl std::fmt::Debug for WebRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebRequest").field("method", &self.method).finish_non_exhaustive()
    }
}

impl WebClient {
    /// Reads the proxies of the environment and the CA bundle of the profile. It makes no connection. A request
    /// takes at most `limit`.
    ///
    /// # Errors
    ///
    /// Returns the cause if a proxy setting or the CA bundle cannot be used.
    pub fn open(
        profile: &JobProfile,
        masker: &SharedMasker,
        limit: Duration,
    ) -> Result<Self, CauseReport> {
        let http = AwsHttpClient::new(&profile.account(), masker)?;
        Ok(Self { http, masker: masker.clone(), limit })
    }

    /// Sends the request and reads the whole answer, whatever its status; its status and its body, which has at
    /// most `longest` bytes. `who` names the server in errors.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if no complete answer came in time, or if it is longer or no text.
    pub async fn send(
        &self,
        who: &'static str,
        request: &WebRequest,
        longest: usize,
    ) -> Result<(u16, String), CallError> {
        let settings = HttpConnectorSettings::builder()
            .connect_timeout(self.limit)
            .read_timeout(self.limit)
            .build();
        let sent = self.http.send(made(request)?, &settings);
        let answer = timeout(self.limit, sent).await;
        let ms = self.limit.as_millis();
        let late = |_| CallError::NoAnswer { text: format!("{who} did not answer within {ms} ms") };
        let answer = answer.map_err(late)?;
        let answer = answer.map_err(|error| CallError::of_connector(&error, &self.masker))?;
        let status = answer.status().as_u16();
        Ok((status, body(who, answer, longest)?))
    }
}

fn made(request: &WebRequest) -> Result<HttpRequest, CallError> {
    // No error repeats the URL.
    let refused = |_| CallError::NotSent { text: "the URL or a header cannot be used".to_owned() };
    let mut made = HttpRequest::new(SdkBody::from(request.body.clone()));
    made.set_method(request.method).map_err(refused)?;
    made.set_uri(request.url.as_str()).map_err(refused)?;
    for (name, value) in &request.headers {
        made.headers_mut().try_insert(*name, value.clone()).map_err(refused)?;
    }
    Ok(made)
}
