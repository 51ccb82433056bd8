//! Refuses requests of web pages. A page in a browser on this machine can reach the cloud's port. If its
//! owner makes the page's name lead to this machine (DNS rebinding), even the browser takes the cloud
//! for a part of the page. Such a page must not start tasks, which run commands on this machine.
//!
//! A program sends no `Origin`, and its `Host` is an address of this machine. This check knows no keys
//! and no paths: the services and the control endpoint both use it.

use std::net::IpAddr;

use axum::http::header;
use axum::http::request::Parts;

use super::tls::PUBLIC_NAME;

/// Why a request could come from a web page.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrowserRequestError {
    /// It names another host, or none.
    #[error(
        "the local cloud answers at a loopback address or at the address that it listens on; the \
         request names the host {0:?}"
    )]
    Host(String),
    /// A browser sent it for a page.
    #[error("the local cloud refuses requests of web pages")]
    Page,
}

/// Refuses a request that a browser may have sent for a page; the cloud listens on `listens_on`.
pub fn keep_pages_out(parts: &Parts, listens_on: IpAddr) -> Result<(), BrowserRequestError> {
    let as_text = |bytes: &[u8]| String::from_utf8_lossy(bytes).chars().take(255).collect();
    let headers = parts.headers.get_all(header::HOST).into_iter();
    let mut hosts: Vec<String> = headers.map(|value| as_text(value.as_bytes())).collect();
    // An absolute address in the request line overrides the header, and a proxy may send both.
    hosts.extend(parts.uri.authority().map(|authority| as_text(authority.as_str().as_bytes())));
    if hosts.is_empty() {
        return Err(BrowserRequestError::Host(String::new()));
    }
    if let Some(other) = hosts.into_iter().find(|host| !is_ours(host, listens_on)) {
        return Err(BrowserRequestError::Host(other));
    }
    let site = parts.headers.get("sec-fetch-site").map(|value| value.as_bytes());
    let is_typed_in = matches!(site, None | Some(b"none" | b"same-origin"));
    if parts.headers.contains_key(header::ORIGIN) || !is_typed_in {
        return Err(BrowserRequestError::Page);
    }
    Ok(())
}

/// `localhost`, `127.1.2.3`, `[::1]`, the address that the cloud listens on, or the name in its certificate
/// (which nobody can own, by RFC 6761), with or without a port.
fn is_ours(host: &str, listens_on: IpAddr) -> bool {
    let ends_in_port = |port: &str| port.is_empty() || port.parse::<u16>().is_ok();
    let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((name, "")) => (name, ""),
        Some((name, port)) => match port.strip_prefix(':') {
            Some(port) => (name, port),
            None => return false,
        },
        None => host.split_once(':').unwrap_or((host, "")),
    };
    let is_address = |address: IpAddr| {
        let address = address.to_canonical();
        address.is_loopback() || address == listens_on.to_canonical()
    };
    let is_name = ["localhost", PUBLIC_NAME].iter().any(|ours| name.eq_ignore_ascii_case(ours));
    ends_in_port(port) && (is_name || name.parse().is_ok_and(is_address))
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn only_places_of_this_machine_are_hosts() {
        for host in [
            "127.0.0.1:4000",
            "127.9.9.9",
            "localhost",
            "LocalHost:80",
            "[::1]:80",
            "[::1]",
            "cloud.example:80",
        ] {
            assert!(is_ours(host, LOOPBACK), "{host}");
        }
        for host in [
            "",
            "example.org",
            "127.0.0.1.example.org",
            "localhost.example.org:80",
            "user@127.0.0.1",
            "10.0.0.1:80",
            "[::1].example.org",
            "[::1]x",
            "127.0.0.1:x",
            "::1",
            "0.0.0.0:80",
            "a.cloud.example",
        ] {
            assert!(!is_ours(host, LOOPBACK), "{host}");
        }
        let listens_on = "192.0.2.7".parse().expect("an address");
        assert!(is_ours("192.0.2.7:80", listens_on) && is_ours("127.0.0.1", listens_on));
        assert!(!is_ours("192.0.2.8:80", listens_on));
    }

    #[test]
    fn each_place_that_names_a_host_counts() {
        let judge = |uri: &str, hosts: &[&str]| {
            let mut request = Request::post(uri);
            for host in hosts {
                request = request.header("host", *host);
            }
            keep_pages_out(&request.body(()).expect("a request").into_parts().0, LOOPBACK)
        };
        assert_eq!(judge("/", &["127.0.0.1"]), Ok(()));
        assert_eq!(judge("http://127.0.0.1/", &["localhost"]), Ok(()));
        let other = Err(BrowserRequestError::Host("evil.example".to_owned()));
        assert_eq!(judge("/", &["evil.example"]), other);
        assert_eq!(judge("/", &["127.0.0.1", "evil.example"]), other);
        assert_eq!(judge("http://evil.example/", &["127.0.0.1"]), other);
        assert_eq!(judge("/", &[]), Err(BrowserRequestError::Host(String::new())));
    }
}
