//! The HTTP client of every call to AWS: one pool per way, each way chosen by where a request goes.
//!
//! It makes connections as late as it can: a connection in the clear never reads certificates.

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
use fargate_config::Account;
use fargate_model::why::Why;
use http::Uri;

use super::proxy::{Proxies, Proxy};
use super::trust;

/// What a proxy answers to a request without, or with a wrong, login.
const LOGIN_REQUIRED: u16 = 407;

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
        let Way::Through(proxy) = way else { return connector.call(request) };
        HttpConnectorFuture::new(async move {
            match connector.call(request).await {
                Ok(answer) if answer.status().as_u16() == LOGIN_REQUIRED => {
                    let text = "it answered 407, proxy authentication required";
                    let error = ConnectorError::other(text.into(), None);
                    Err(proxy_failed(&proxy, error, true))
                }
                Ok(answer) => Ok(answer),
                Err(error) => Err(blame(&proxy, error)),
            }
        })
    }
}

/// Tells the proxy's failures from those of what is behind it.
fn blame(proxy: &Proxy, error: ConnectorError) -> ConnectorError {
    if super::call::untrusted(&error).is_some() {
        return error;
    }
    let text = super::call::chain(&error);
    let connecting = super::call::find::<hyper_util::client::legacy::Error>(&error)
        .is_some_and(hyper_util::client::legacy::Error::is_connect);
    if connecting || text.contains("tunnel error") || text.contains("connect timeout") {
        let asks_for_login = text.contains("proxy authorization required");
        return proxy_failed(proxy, error, asks_for_login);
    }
    error
}

fn proxy_failed(proxy: &Proxy, source: ConnectorError, asks_for_login: bool) -> ConnectorError {
    let proxy = proxy.shown.clone();
    ConnectorError::io(Box::new(ProxyFailed { proxy, asks_for_login, source }))
}
