//! One request to a registry or to its token service: over TLS unless plain HTTP is allowed, with a limited
//! number of redirects, repeated by the one retry policy if the server fails.
//!
//! It does not know what is asked for.

use std::net::IpAddr;
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use fargate_aws::{AwsAccount, CallError, retry};
use tokio::time::{Instant, timeout_at};
use url::Url;
use zeroize::Zeroizing;

/// Redirects that are followed for one request. A registry on object storage needs one.
pub const MAX_REDIRECTS: usize = 5;
/// Longest time for all requests about one image.
const LONGEST: Duration = Duration::from_secs(20);
/// How long the question may take whether a registry without TLS speaks TLS after all.
const PROBE: Duration = Duration::from_secs(2);

/// Sends requests about one image.
pub struct RegistryExchange<'a> {
    account: &'a AwsAccount,
    deadline: Instant,
}

/// What is asked for.
#[derive(Clone)]
pub struct RegistryRequest {
    /// The URL.
    pub url: Url,
    /// Kinds of content that are accepted.
    pub accept: Option<&'static str>,
    /// The header `Authorization`. It is not sent on to another server.
    pub authorization: Option<Zeroizing<String>>,
}

/// A whole answer.
pub struct RegistryAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The header `WWW-Authenticate`, every line of it.
    pub challenges: Vec<String>,
    /// The digest that the registry names.
    pub digest: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

impl<'a> RegistryExchange<'a> {
    /// Begins the time of all requests. `limit` is the longest time of one call to AWS.
    pub fn begin(account: &'a AwsAccount, limit: Duration) -> Self {
        Self { account, deadline: Instant::now() + limit.min(LONGEST) }
    }

    /// Where a registry answers: over TLS, or by plain HTTP if it may and does not speak TLS.
    pub async fn base_url(&self, host: &str, insecure: &[String]) -> Result<Url, CallError> {
        let url = |scheme: &str| parse(&format!("{scheme}://{host}/v2/"));
        let secure = url("https")?;
        if !is_loopback(&secure) && !insecure.iter().any(|named| named == host) {
            return Ok(secure);
        }
        let request = RegistryRequest { url: secure.clone(), accept: None, authorization: None };
        let until = self.deadline.min(Instant::now() + PROBE);
        match timeout_at(until, self.send(&request)).await {
            // A certificate that is not trusted is TLS as well, and the error that a person needs.
            Ok(Ok(_) | Err(CallError::Untrusted { .. })) => Ok(secure),
            Ok(Err(_)) | Err(_) => url("http"),
        }
    }

    /// Gets an answer, whatever its status, unless the server failed until the time was over.
    pub async fn get(&self, request: &RegistryRequest) -> Result<RegistryAnswer, CallError> {
        let mut request = request.clone();
        for _ in 0..=MAX_REDIRECTS {
            let answer = retry(self.deadline, || self.served(&request)).await?;
            let status = answer.status().as_u16();
            let place = answer.headers().get("location").filter(|_| is_redirect(status));
            let Some(place) = place else { return Ok(whole(&answer)) };
            request = redirected(request, place)?;
        }
        Err(unreadable(format!("more than {MAX_REDIRECTS} redirects")))
    }

    /// An answer of a server that works.
    async fn served(&self, request: &RegistryRequest) -> Result<HttpResponse, CallError> {
        let answer = self.send(request).await?;
        let status = answer.status().as_u16();
        if status < 500 {
            return Ok(answer);
        }
        Err(CallError::Answered {
            code: format!("HTTP status {status}"),
            message: "the server failed".to_owned(),
            status,
            request_id: None,
        })
    }

    async fn send(&self, request: &RegistryRequest) -> Result<HttpResponse, CallError> {
        let not_sent = |error: &dyn std::fmt::Display| CallError::NotSent {
            text: format!("making the request: {error}"),
        };
        let mut made = HttpRequest::new(SdkBody::empty());
        made.set_uri(request.url.as_str()).map_err(|error| not_sent(&error))?;
        let mut headers = vec![("user-agent", "fargate-runner")];
        headers.extend(request.accept.map(|accept| ("accept", accept)));
        for (name, value) in headers {
            made.headers_mut().try_insert(name, value).map_err(|error| not_sent(&error))?;
        }
        if let Some(authorization) = &request.authorization {
            // The error would repeat the value.
            let inserted =
                made.headers_mut().try_insert("authorization", authorization.to_string());
            inserted.map_err(|_| not_sent(&"the login cannot be sent in a header"))?;
        }
        let who = request.url.host_str().unwrap_or("the registry");
        self.account.fetch(who, made).await
    }
}

fn whole(answer: &HttpResponse) -> RegistryAnswer {
    let challenges = answer.headers().get_all("www-authenticate").map(str::to_owned).collect();
    RegistryAnswer {
        status: answer.status().as_u16(),
        challenges,
        digest: answer.headers().get("docker-content-digest").map(str::to_owned),
        body: answer.body().bytes().unwrap_or_default().to_vec(),
    }
}

/// Whether the answer names another place.
pub fn is_redirect(status: u16) -> bool {
    [301, 302, 303, 307, 308].contains(&status)
}

/// The request at another place. A login is for the first server alone, and TLS is never given up.
pub fn redirected(request: RegistryRequest, place: &str) -> Result<RegistryRequest, CallError> {
    let url = request.url.join(place).map_err(|_| unreadable("a redirect to no URL".to_owned()))?;
    let keeps_tls =
        url.scheme() == "https" || request.url.scheme() == "http" && url.scheme() == "http";
    if !keeps_tls {
        return Err(unreadable("a redirect to a server without TLS".to_owned()));
    }
    let same = url.origin() == request.url.origin();
    let authorization = request.authorization.filter(|_| same);
    Ok(RegistryRequest { url, authorization, ..request })
}

/// Whether the host is this machine, which needs no TLS.
pub fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Reads a URL of the registry or of its token service.
pub fn parse(text: &str) -> Result<Url, CallError> {
    Url::parse(text).map_err(|error| CallError::NotSent { text: format!("a wrong URL: {error}") })
}

fn unreadable(text: String) -> CallError {
    CallError::Unreadable { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(url: &str) -> RegistryRequest {
        let authorization = Some(Zeroizing::new("Basic canary".to_owned()));
        RegistryRequest { url: Url::parse(url).unwrap(), accept: None, authorization }
    }

    #[test]
    fn a_redirect_keeps_the_login_on_the_same_server_alone_and_never_gives_up_tls() {
        let to = |place: &str| {
            redirected(request("https://registry.example/v2/a/blobs/b"), place)
                .map(|next| (next.url.to_string(), next.authorization.is_some()))
        };
        assert_eq!(to("/other").unwrap(), ("https://registry.example/other".to_owned(), true));
        assert_eq!(
            to("https://cdn.example/b").unwrap(),
            ("https://cdn.example/b".to_owned(), false)
        );
        assert!(!to("https://registry.example:444/").unwrap().1);
        for refused in
            ["http://registry.example/", "http://127.0.0.1/", "file:///etc/passwd", "https://"]
        {
            assert!(to(refused).is_err(), "{refused}");
        }
        let plain = redirected(request("http://127.0.0.1:5000/v2/"), "http://127.0.0.1:5000/x");
        assert!(plain.is_ok());
    }

    #[test]
    fn only_this_machine_is_loopback() {
        for (url, is_own) in [
            ("https://localhost:5000/", true),
            ("https://127.80.1.2/", true),
            ("https://[::1]:5000/", true),
            ("https://localhost.example/", false),
            ("https://10.0.0.1/", false),
        ] {
            assert_eq!(is_loopback(&Url::parse(url).unwrap()), is_own, "{url}");
        }
    }
}
