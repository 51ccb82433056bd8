//! The HTTP client of all calls to AWS and of all sources of credentials. There is one pool of
//! connections per way, and the destination of a request decides its way.
//!
//! It sets connections up as late as it can, and without TLS it reads no certificates. It reads
//! each answer completely, up to [`LONGEST_ANSWER`], so a server cannot fill the memory of this
//! process. It retries nothing.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{self, TlsContext};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use fargate_config::AccountSettings;
use fargate_mask::SharedMasker;
use fargate_model::cause::CauseReport;
use fargate_model::text::error_chain;
use http::Uri;

use crate::causes::{untrusted, was_not_connected};
use crate::proxy::{ProxySettings, ProxyUrl};
use crate::trust;

/// The status of a proxy that asks for a login, or refuses the one it got.
const LOGIN_REQUIRED: u16 = 407;

/// Longest answer that is read, in bytes. The longest of AWS is 1 MB of log events, and JSON may
/// turn one byte into six.
pub const LONGEST_ANSWER: usize = 8 * 1024 * 1024;

/// The HTTP client. Clones share its connections.
#[derive(Clone)]
pub struct AwsHttpClient {
    shared: Arc<HttpClientState>,
}

struct HttpClientState {
    trust: Option<TlsContext>,
    proxies: ProxySettings,
    connectors: Mutex<Vec<(ConnectorKey, SharedHttpConnector)>>,
}

/// What one pool of connections is used for.
#[derive(Clone, PartialEq, Eq)]
struct ConnectorKey {
    way: ConnectionRoute,
    connect_timeout: Option<Duration>,
    read_timeout: Option<Duration>,
}

#[derive(Clone, PartialEq, Eq)]
enum ConnectionRoute {
    Clear,
    Tls,
    Through(ProxyUrl),
}

/// A proxy failed.
#[derive(Debug, thiserror::Error)]
#[error("through the proxy {proxy}")]
pub struct ProxyError {
    /// The proxy's URL without its login.
    pub proxy: String,
    /// Whether it asks for a login that it did not get.
    pub asks_for_login: bool,
    #[source]
    source: ConnectorError,
}

/// An answer began but could not be read completely.
#[derive(Debug, thiserror::Error)]
pub enum ResponseReadError {
    /// The answer does not end, or is longer than any answer of AWS.
    #[error("the answer is longer than {} MiB", LONGEST_ANSWER / 1024 / 1024)]
    TooLong,
    /// The connection ended before the answer did.
    #[error("the answer was cut off")]
    Cut(#[source] aws_smithy_types::byte_stream::error::Error),
}

impl fmt::Debug for AwsHttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AwsHttpClient")
    }
}

impl AwsHttpClient {
    /// Reads the environment and the CA bundle. It makes no connection.
    ///
    /// # Errors
    ///
    /// Returns the cause if a proxy setting or the CA bundle cannot be used.
    pub fn new(account: &AccountSettings, masker: &SharedMasker) -> Result<Self, CauseReport> {
        let shared = HttpClientState {
            trust: trust::configured(account)?,
            proxies: ProxySettings::from_environment(masker)?,
            connectors: Mutex::default(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Sends one request.
    pub async fn send(
        &self,
        request: HttpRequest,
        settings: &HttpConnectorSettings,
    ) -> Result<HttpResponse, ConnectorError> {
        RoutingConnector { http: self.clone(), settings: settings.clone() }.call(request).await
    }

    /// Sends one request, and leaves the body of the answer to be read in parts.
    pub async fn send_unread(
        &self,
        request: HttpRequest,
        settings: &HttpConnectorSettings,
    ) -> Result<HttpResponse, ConnectorError> {
        let way = self.way(request.uri());
        let connector = self.connector(way.clone(), settings);
        unread(connector, way, request).await
    }

    fn way(&self, uri: &str) -> ConnectionRoute {
        match uri.parse::<Uri>() {
            Err(_) => ConnectionRoute::Tls,
            Ok(uri) => match self.shared.proxies.before(&uri) {
                Some(proxy) => ConnectionRoute::Through(proxy.clone()),
                None if uri.scheme_str() == Some("http") => ConnectionRoute::Clear,
                None => ConnectionRoute::Tls,
            },
        }
    }

    fn connector(
        &self,
        way: ConnectionRoute,
        settings: &HttpConnectorSettings,
    ) -> SharedHttpConnector {
        let key = ConnectorKey {
            way,
            connect_timeout: settings.connect_timeout(),
            read_timeout: settings.read_timeout(),
        };
        let known = &self.shared.connectors;
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, connector)) = known.iter().find(|(other, _)| *other == key) {
            return connector.clone();
        }
        let connector = self.make(&key.way, settings);
        known.push((key, connector.clone()));
        connector
    }

    fn make(&self, way: &ConnectionRoute, settings: &HttpConnectorSettings) -> SharedHttpConnector {
        let trust = match way {
            ConnectionRoute::Clear => trust::nobody(),
            ConnectionRoute::Tls | ConnectionRoute::Through(_) => {
                self.shared.trust.clone().unwrap_or_default()
            }
        };
        let mut builder = aws_smithy_http_client::Connector::builder()
            .connector_settings(settings.clone())
            .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
            .tls_context(trust);
        if let ConnectionRoute::Through(proxy) = way {
            // The URL was checked when it was read.
            let proxy = ProxyConfig::all(proxy.url.as_str());
            builder.set_proxy_config(Some(proxy.expect("it was checked when it was read")));
        }
        SharedHttpConnector::new(builder.build())
    }
}

impl HttpClient for AwsHttpClient {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        _components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(RoutingConnector {
            http: self.clone(),
            settings: settings.clone(),
        })
    }
}

/// Sends each request on the way that its destination needs.
#[derive(Debug)]
struct RoutingConnector {
    http: AwsHttpClient,
    settings: HttpConnectorSettings,
}

impl HttpConnector for RoutingConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let way = self.http.way(request.uri());
        let connector = self.http.connector(way.clone(), &self.settings);
        HttpConnectorFuture::new(async move { read(unread(connector, way, request).await?).await })
    }
}

/// Sends the request. The body of the answer is not read yet.
async fn unread(
    connector: SharedHttpConnector,
    way: ConnectionRoute,
    request: HttpRequest,
) -> Result<HttpResponse, ConnectorError> {
    let answer = connector.call(request).await;
    let ConnectionRoute::Through(proxy) = way else { return answer };
    match answer {
        Ok(answer) if answer.status().as_u16() == LOGIN_REQUIRED => {
            let text = "it answered 407, proxy authentication required";
            let error = ConnectorError::other(text.into(), None);
            Err(proxy_failed(&proxy, error, true))
        }
        Ok(answer) => Ok(answer),
        Err(error) => Err(blame(&proxy, error)),
    }
}

/// Reads the whole body of the answer into memory. Its callers have a time limit for the whole.
async fn read(mut answer: HttpResponse) -> Result<HttpResponse, ConnectorError> {
    let unread = |error: ResponseReadError| ConnectorError::other(error.into(), None);
    let told = answer.body().content_length();
    let longest = u64::try_from(LONGEST_ANSWER).unwrap_or(u64::MAX);
    if told.is_some_and(|told| told > longest) {
        return Err(unread(ResponseReadError::TooLong));
    }
    let mut stream = ByteStream::new(answer.take_body());
    let mut bytes = Vec::new();
    while let Some(part) = stream.next().await {
        let part = part.map_err(|error| unread(ResponseReadError::Cut(error)))?;
        if bytes.len() + part.len() > LONGEST_ANSWER {
            return Err(unread(ResponseReadError::TooLong));
        }
        bytes.extend_from_slice(&part);
    }
    *answer.body_mut() = SdkBody::from(bytes);
    Ok(answer)
}

/// Tells a failure of the proxy from a failure behind it.
fn blame(proxy: &ProxyUrl, error: ConnectorError) -> ConnectorError {
    if untrusted(&error).is_some() {
        return error;
    }
    let text = error_chain(&error);
    if was_not_connected(&error) || text.contains("tunnel error") {
        let asks_for_login = text.contains("proxy authorization required");
        return proxy_failed(proxy, error, asks_for_login);
    }
    error
}

fn proxy_failed(proxy: &ProxyUrl, source: ConnectorError, asks_for_login: bool) -> ConnectorError {
    let proxy = proxy.shown.clone();
    ConnectorError::io(Box::new(ProxyError { proxy, asks_for_login, source }))
}
