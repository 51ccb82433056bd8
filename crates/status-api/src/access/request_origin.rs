//! Refuses requests that a page of another site may have sent.
//!
//! A page in a browser of this network can reach this server's port. Its owner can make its name lead here
//! (DNS rebinding), so that the browser takes this server for a part of the page: the `Host` header tells.
//! Or the page sends a request that the browser does not let it read: `Origin` and `Sec-Fetch-Site` tell.
//! A program sends neither. This module knows no paths and no callers.

use std::net::IpAddr;

use axum::http::request::Parts;
use axum::http::{Method, header};

use crate::ApiProblem;

/// Which names are this server's.
#[derive(Clone, Debug, Default)]
pub struct AllowedNames {
    /// Hosts beside the addresses of this machine, without port.
    pub hosts: Vec<String>,
    /// Sites whose pages may send requests: `https://ci.example.org`.
    pub origins: Vec<String>,
}

impl AllowedNames {
    /// Refuses a request by its headers; it came in at the address `arrived_at`.
    ///
    /// # Errors
    ///
    /// Returns [`ApiProblem::WrongHost`] or [`ApiProblem::OtherSite`].
    pub fn check(&self, parts: &Parts, arrived_at: IpAddr) -> Result<(), ApiProblem> {
        let host = self.check_host(parts, arrived_at)?;
        self.check_site(parts, &host)
    }

    /// The host that the request names, if it is one of ours.
    fn check_host(&self, parts: &Parts, arrived_at: IpAddr) -> Result<String, ApiProblem> {
        let as_text =
            |bytes: &[u8]| -> String { String::from_utf8_lossy(bytes).chars().take(255).collect() };
        let headers = parts.headers.get_all(header::HOST).into_iter();
        let mut hosts: Vec<String> = headers.map(|value| as_text(value.as_bytes())).collect();
        // An absolute address in the request line overrides the header, and a proxy may send both.
        hosts.extend(parts.uri.authority().map(|authority| authority.to_string()));
        if let Some(other) = hosts.iter().find(|host| !self.is_ours(host, arrived_at)) {
            return Err(ApiProblem::WrongHost(fargate_model::text::escape_within(other, 80)));
        }
        hosts.pop().ok_or(ApiProblem::WrongHost(String::new()))
    }

    fn check_site(&self, parts: &Parts, host: &str) -> Result<(), ApiProblem> {
        let text = |name: &str| parts.headers.get(name).map(|value| value.as_bytes());
        if let Some(origin) = text("origin") {
            let origin = String::from_utf8_lossy(origin);
            let is_listed = self.origins.iter().any(|known| known.eq_ignore_ascii_case(&origin));
            let is_own = origin
                .strip_prefix("http://")
                .or_else(|| origin.strip_prefix("https://"))
                .is_some_and(|site| site.eq_ignore_ascii_case(host));
            return if is_listed || is_own { Ok(()) } else { Err(ApiProblem::OtherSite) };
        }
        match text("sec-fetch-site") {
            None | Some(b"none" | b"same-origin") => Ok(()),
            // Somebody follows a link to a page, from the forge for example.
            Some(_) if is_navigation(parts) => Ok(()),
            Some(_) => Err(ApiProblem::OtherSite),
        }
    }

    /// A loopback address, the address at which the request arrived, or a name of the list; with or
    /// without a port.
    fn is_ours(&self, host: &str, arrived_at: IpAddr) -> bool {
        let Some(name) = host_name(host) else { return false };
        let is_address = |address: IpAddr| {
            let address = address.to_canonical();
            address.is_loopback() || address == arrived_at.to_canonical()
        };
        let is_listed = |known: &String| known.eq_ignore_ascii_case(name);
        name.eq_ignore_ascii_case("localhost")
            || name.parse().is_ok_and(is_address)
            || self.hosts.iter().any(is_listed)
    }
}

/// The name in `NAME`, `NAME:PORT`, `[ADDRESS]` or `[ADDRESS]:PORT`.
fn host_name(host: &str) -> Option<&str> {
    let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((name, "")) => (name, ""),
        Some((name, port)) => (name, port.strip_prefix(':')?),
        None => host.split_once(':').unwrap_or((host, "")),
    };
    (port.is_empty() || port.parse::<u16>().is_ok()).then_some(name)
}

/// A browser opens a page in a window of its own.
fn is_navigation(parts: &Parts) -> bool {
    let is = |name: &str, wanted: &[u8]| {
        parts.headers.get(name).is_some_and(|value| value.as_bytes() == wanted)
    };
    matches!(parts.method, Method::GET | Method::HEAD)
        && is("sec-fetch-mode", b"navigate")
        && is("sec-fetch-dest", b"document")
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn names() -> AllowedNames {
        AllowedNames {
            hosts: vec!["ci.example.org".to_owned()],
            origins: vec!["https://portal.example.org".to_owned()],
        }
    }

    fn judged(uri: &str, headers: &[(&str, &str)]) -> Result<(), ApiProblem> {
        let mut request = Request::get(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        names().check(&request.body(()).unwrap().into_parts().0, LOOPBACK)
    }

    #[test]
    fn only_places_of_this_server_are_hosts() {
        for host in ["127.0.0.1:4000", "LocalHost:80", "[::1]:80", "[::1]", "ci.example.org:80"] {
            assert!(names().is_ours(host, LOOPBACK), "{host}");
        }
        for host in [
            "",
            "example.org",
            "127.0.0.1.example.org",
            "localhost.example.org:80",
            "user@127.0.0.1",
            "10.0.0.1:80",
            "[::1].example.org",
            "127.0.0.1:x",
            "0.0.0.0:80",
            "a.ci.example.org",
        ] {
            assert!(!names().is_ours(host, LOOPBACK), "{host}");
        }
        let arrived_at = "192.0.2.7".parse().unwrap();
        assert!(names().is_ours("192.0.2.7:80", arrived_at));
        assert!(!names().is_ours("192.0.2.8:80", arrived_at));
    }

    #[test]
    fn each_place_that_names_a_host_counts() {
        assert_eq!(judged("/", &[("host", "127.0.0.1")]), Ok(()));
        assert_eq!(judged("http://127.0.0.1/", &[("host", "localhost")]), Ok(()));
        let other = Err(ApiProblem::WrongHost("evil.example".to_owned()));
        assert_eq!(judged("/", &[("host", "evil.example")]), other);
        assert_eq!(judged("/", &[("host", "127.0.0.1"), ("host", "evil.example")]), other);
        assert_eq!(judged("http://evil.example/", &[("host", "127.0.0.1")]), other);
        assert_eq!(judged("/", &[]), Err(ApiProblem::WrongHost(String::new())));
    }

    #[test]
    fn a_page_of_another_site_may_link_here_and_do_nothing_else() {
        let host = ("host", "ci.example.org");
        let site = |value| ("sec-fetch-site", value);
        assert_eq!(judged("/", &[host, ("origin", "https://ci.example.org")]), Ok(()));
        assert_eq!(judged("/", &[host, ("origin", "https://portal.example.org")]), Ok(()));
        assert_eq!(judged("/", &[host, site("same-origin")]), Ok(()));
        let link = [("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
        assert_eq!(judged("/", &[host, site("cross-site"), link[0], link[1]]), Ok(()));
        let refused = Err(ApiProblem::OtherSite);
        for origin in ["null", "https://evil.example", "http://ci.example.org.evil.example"] {
            assert_eq!(judged("/", &[host, ("origin", origin)]), refused, "{origin}");
        }
        assert_eq!(judged("/", &[host, site("cross-site")]), refused);
        assert_eq!(judged("/", &[host, site("same-site"), link[0]]), refused);
        let frame = [("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")];
        assert_eq!(judged("/", &[host, site("cross-site"), frame[0], frame[1]]), refused);
    }
}
