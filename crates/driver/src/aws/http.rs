//! The HTTP client of every call to AWS and of every source of credentials: one pool per way, each
//! way chosen by where a request goes.
//!
//! It makes connections as late as it can: a connection in the clear never reads certificates. It
//! reads each answer to its end, up to [`LONGEST_ANSWER`], so whoever answers cannot fill the memory
//! of this process.

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
use fargate_config::Account;
use fargate_model::why::Why;
use http::Uri;

use super::proxy::{Proxies, Proxy};
use super::trust;

/// What a proxy answers to a request without, or with a wrong, login.
const LOGIN_REQUIRED: u16 = 407;

/// Longest answer that is read, in bytes. The longest that AWS gives is 1 MB of log events, in which
/// JSON may make six bytes of one.
pub const LONGEST_ANSWER: usize = 8 * 1024 * 1024;

/// See the module. Clones share their connections.
#[derive(Clone)]
pub struct Http {
    shared: Arc<Shared>,
}

struct Shared {
    trust: Option<TlsContext>,
    proxies: Proxies,
    connectors: Mutex<Vec<(Key, SharedHttpConnector)>>,
}

/// What one pool of connections is for.
#[derive(Clone, PartialEq, Eq)]
struct Key {
    way: Way,
    connect_timeout: Option<Duration>,
    read_timeout: Option<Duration>,
}

#[derive(Clone, PartialEq, Eq)]
enum Way {
    Clear,
    Tls,
    Through(Proxy),
}

/// A proxy did not do its part.
#[derive(Debug, thiserror::Error)]
#[error("through the proxy {proxy}")]
pub struct ProxyFailed {
    /// Without its login.
    pub proxy: String,
    /// It asks for a login that it was not given.
    pub asks_for_login: bool,
    #[source]
    source: ConnectorError,
}

/// An answer began and could not be read to its end.
#[derive(Debug, thiserror::Error)]
pub enum AnswerUnread {
    /// It has no end, or nobody could mean it.
    #[error("the answer is longer than {} MiB", LONGEST_ANSWER / 1024 / 1024)]
    TooLong,
    /// The connection ended before the answer did.
    #[error("the answer was cut off")]
    Cut(#[source] aws_smithy_types::byte_stream::error::Error),
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Http")
    }
}

impl Http {
    /// Reads the environment and the CA bundle. No connection is made.
    ///
    /// # Errors
    ///
    /// What is wrong with either.
    pub fn new(account: &Account) -> Result<Self, Why> {
        let shared = Shared {
            trust: trust::configured(account)?,
            proxies: Proxies::from_environment()?,
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
        Directed { http: self.clone(), settings: settings.clone() }.call(request).await
    }

    fn way(&self, uri: &str) -> Way {
        match uri.parse::<Uri>() {
            Err(_) => Way::Tls,
            Ok(uri) => match self.shared.proxies.before(&uri) {
                Some(proxy) => Way::Through(proxy.clone()),
                None if uri.scheme_str() == Some("http") => Way::Clear,
                None => Way::Tls,
            },
        }
    }

    fn connector(&self, way: Way, settings: &HttpConnectorSettings) -> SharedHttpConnector {
        let key = Key {
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

    fn make(&self, way: &Way, settings: &HttpConnectorSettings) -> SharedHttpConnector {
        let trust = match way {
            Way::Clear => trust::nobody(),
            Way::Tls | Way::Through(_) => self.shared.trust.clone().unwrap_or_default(),
        };
        let mut builder = aws_smithy_http_client::Connector::builder()
            .connector_settings(settings.clone())
            .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
            .tls_context(trust);
        if let Way::Through(proxy) = way {
            // It was checked when it was read.
            let proxy = ProxyConfig::all(proxy.url.as_str());
            builder.set_proxy_config(Some(proxy.expect("it was checked when it was read")));
        }
        SharedHttpConnector::new(builder.build())
    }
}

impl HttpClient for Http {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        _components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Directed { http: self.clone(), settings: settings.clone() })
    }
}

/// Sends each request the way that its destination asks for.
#[derive(Debug)]
struct Directed {
    http: Http,
    settings: HttpConnectorSettings,
}

impl HttpConnector for Directed {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let way = self.http.way(request.uri());
        let connector = self.http.connector(way.clone(), &self.settings);
        HttpConnectorFuture::new(async move {
            let answer = connector.call(request).await;
            let Way::Through(proxy) = way else { return read(answer?).await };
            match answer {
                Ok(answer) if answer.status().as_u16() == LOGIN_REQUIRED => {
                    let text = "it answered 407, proxy authentication required";
                    let error = ConnectorError::other(text.into(), None);
                    Err(proxy_failed(&proxy, error, true))
                }
                Ok(answer) => read(answer).await,
                Err(error) => Err(blame(&proxy, error)),
            }
        })
    }
}

/// The same answer with all of its body in memory. No caller reads an answer by parts, and every
/// caller has a time limit for the whole.
async fn read(mut answer: HttpResponse) -> Result<HttpResponse, ConnectorError> {
    let unread = |error: AnswerUnread| ConnectorError::other(error.into(), None);
    let told = answer.body().content_length();
    let longest = u64::try_from(LONGEST_ANSWER).unwrap_or(u64::MAX);
    if told.is_some_and(|told| told > longest) {
        return Err(unread(AnswerUnread::TooLong));
    }
    let mut stream = ByteStream::new(answer.take_body());
    let mut bytes = Vec::new();
    while let Some(part) = stream.next().await {
        let part = part.map_err(|error| unread(AnswerUnread::Cut(error)))?;
        if bytes.len() + part.len() > LONGEST_ANSWER {
            return Err(unread(AnswerUnread::TooLong));
        }
        bytes.extend_from_slice(&part);
    }
    *answer.body_mut() = SdkBody::from(bytes);
    Ok(answer)
}

/// Tells the proxy's failures from those of what is behind it.
fn blame(proxy: &Proxy, error: ConnectorError) -> ConnectorError {
    if super::call::untrusted(&error).is_some() {
        return error;
    }
    let text = super::call::chain(&error);
    if super::call::was_not_connected(&error) || text.contains("tunnel error") {
        let asks_for_login = text.contains("proxy authorization required");
        return proxy_failed(proxy, error, asks_for_login);
    }
    error
}

fn proxy_failed(proxy: &Proxy, source: ConnectorError, asks_for_login: bool) -> ConnectorError {
    let proxy = proxy.shown.clone();
    ConnectorError::io(Box::new(ProxyFailed { proxy, asks_for_login, source }))
}
