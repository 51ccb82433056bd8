//! The proxies that the environment names: `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`, in upper or
//! lower case, as GitLab's driver reads them. `ALL_PROXY` is not read.
//!
//! Requests for this machine's own credentials never go through a proxy: neither to the instance's
//! metadata nor to the credential endpoints of containers. Neither do requests to this machine
//! itself, which a proxy could not reach. Go, the language of GitLab's driver, does the same.

use std::fmt;
use std::net::IpAddr;

use fargate_model::cause::{CauseReport, FailureCause};
use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;

use fargate_mask::SharedMasker;

/// The content of the variables.
#[derive(Default)]
pub struct ProxySettings {
    http: Option<ProxyUrl>,
    https: Option<ProxyUrl>,
    matcher: Option<Matcher>,
    /// Host and port of the credential endpoints that the environment names.
    own: Vec<String>,
}

/// One proxy.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxyUrl {
    /// The URL for the client, with user and password.
    pub url: String,
    /// The URL for people, without them.
    pub shown: String,
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl ProxySettings {
    /// Reads the environment of this process. `masker` learns the passwords in it.
    ///
    /// # Errors
    ///
    /// [`FailureCause::ProxyUnusable`]: a value that is no HTTP proxy is never passed over in silence,
    /// because calls would then leave this host another way than was wanted.
    pub fn from_environment(masker: &SharedMasker) -> Result<Self, CauseReport> {
        // A value that is no text is then no URL either, and refused as such.
        let variable = |name: &str| Some(std::env::var_os(name)?.to_string_lossy().into_owned());
        Self::read(variable, masker)
    }

    fn read(
        variable: impl Fn(&str) -> Option<String>,
        masker: &SharedMasker,
    ) -> Result<Self, CauseReport> {
        // The name as it is written, and its value.
        let named = |name: &str| {
            let value = |name: &str| variable(name).map(|value| value.trim().to_owned());
            [name.to_owned(), name.to_ascii_lowercase()].into_iter().find_map(|name| {
                let value = value(&name).filter(|value| !value.is_empty())?;
                Some((name, value))
            })
        };
        let given = |name: &str| named(name).map(|(_, value)| value);
        let proxy = |name| {
            named(name).map(|(name, value)| ProxyUrl::parse(&name, &value, masker)).transpose()
        };
        let (http, https) = (proxy("HTTP_PROXY")?, proxy("HTTPS_PROXY")?);
        let no_proxy = given("NO_PROXY").unwrap_or_default();
        // The matcher accepts a star only for host names.
        let none_at_all = no_proxy.split(',').any(|entry| entry.trim() == "*");
        if http.is_none() && https.is_none() || none_at_all {
            return Ok(Self::default());
        }
        let url =
            |proxy: &Option<ProxyUrl>| proxy.clone().map(|proxy| proxy.url).unwrap_or_default();
        let matcher = Matcher::builder().http(url(&http)).https(url(&https)).no(no_proxy).build();
        let own = ["AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_EC2_METADATA_SERVICE_ENDPOINT"]
            .into_iter()
            .filter_map(given)
            .filter_map(|text| Some(text.parse::<Uri>().ok()?.authority()?.to_string()))
            .collect();
        Ok(Self { http, https, matcher: Some(matcher), own })
    }

    /// The proxy for `destination`, if there is one.
    pub fn before(&self, destination: &Uri) -> Option<&ProxyUrl> {
        let matcher = self.matcher.as_ref()?;
        let authority = destination.authority()?;
        if self.own.iter().any(|own| own == authority.as_str()) || is_own(authority.host()) {
            return None;
        }
        matcher.intercept(destination)?;
        match destination.scheme_str() {
            Some("https") => self.https.as_ref(),
            _ => self.http.as_ref(),
        }
    }
}

impl ProxyUrl {
    fn parse(variable: &str, value: &str, masker: &SharedMasker) -> Result<Self, CauseReport> {
        let refused = || CauseReport::new(FailureCause::ProxyUnusable).with("variable", variable);
        let with_scheme =
            if value.contains("://") { value.to_owned() } else { format!("http://{value}") };
        let uri: Uri = with_scheme.parse().map_err(|_| refused())?;
        let scheme = uri.scheme_str().filter(|scheme| ["http", "https"].contains(scheme));
        let (Some(scheme), Some(authority)) = (scheme, uri.authority()) else {
            return Err(refused());
        };
        let place = authority.as_str().rsplit('@').next().unwrap_or_default();
        if authority.host().is_empty() {
            return Err(refused());
        }
        let login = authority.as_str().rsplit_once('@').map(|(login, _)| login);
        if let Some((_, password)) = login.and_then(|login| login.split_once(':')) {
            masker.remember_of_url(password);
        }
        Ok(Self { url: format!("{scheme}://{authority}"), shown: format!("{scheme}://{place}") })
    }
}

/// Whether it is this machine, a link-local address, or an IPv6 address of the same endpoints.
///
/// Source: Amazon EC2 User Guide, "Access instance metadata" (169.254.169.254, `fd00:ec2::254`);
/// Amazon ECS Developer Guide, "Task IAM role" (169.254.170.2); Amazon EKS User Guide, "EKS Pod
/// Identity" (169.254.170.23, `fd00:ec2::23`).
fn is_own(host: &str) -> bool {
    match host.trim_matches(['[', ']']).parse() {
        Ok(IpAddr::V4(address)) => address.is_link_local() || address.is_loopback(),
        Ok(IpAddr::V6(address)) => {
            let [first, second, ..] = address.segments();
            let link_local = first & 0xffc0 == 0xfe80;
            link_local || address.is_loopback() || (first, second) == (0xfd00, 0x0ec2)
        }
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(pairs: &[(&str, &str)]) -> Result<ProxySettings, CauseReport> {
        let variable = |asked: &str| {
            pairs.iter().find(|(name, _)| *name == asked).map(|(_, value)| (*value).to_owned())
        };
        ProxySettings::read(variable, &SharedMasker::default())
    }

    fn before(proxies: &ProxySettings, uri: &str) -> Option<String> {
        proxies.before(&uri.parse().unwrap()).map(|proxy| format!("{proxy:?}"))
    }

    #[test]
    fn each_scheme_has_its_proxy_and_some_hosts_have_none() {
        let proxies = proxies(&[
            ("HTTPS_PROXY", "http://user:canary@proxy.example:3128"),
            ("http_proxy", "plain.example:80"),
            ("no_proxy", "internal.example,10.0.0.0/8,.corp"),
        ])
        .unwrap();
        let before = |uri| before(&proxies, uri);
        let https = Some("http://proxy.example:3128".to_owned());
        assert_eq!(before("https://ecs.eu-west-1.amazonaws.com/"), https);
        assert_eq!(before("https://[2001:db8::1]/"), https);
        assert_eq!(
            before("http://cloud.example:4000/"),
            Some("http://plain.example:80".to_owned())
        );
        for direct in ["https://a.internal.example/", "https://10.1.2.3/", "https://x.corp/"] {
            assert_eq!(before(direct), None, "{direct}");
        }
    }

    #[test]
    fn credentials_of_this_machine_never_go_through_a_proxy() {
        let proxies = proxies(&[
            ("HTTP_PROXY", "http://proxy.example:3128"),
            ("HTTPS_PROXY", "http://proxy.example:3128"),
            ("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://metadata.example:1338/"),
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "https://keys.example/one"),
        ])
        .unwrap();
        for own in [
            "http://169.254.169.254/latest/meta-data/",
            "http://169.254.170.2/v2/credentials",
            "http://[fd00:ec2::254]/latest/",
            "http://[fe80::1]/",
            "http://metadata.example:1338/latest/api/token",
            "https://keys.example/one",
            "http://127.80.1.4:4000/",
            "https://[::1]:4000/",
            "http://LocalHost:911/",
        ] {
            assert_eq!(before(&proxies, own), None, "{own}");
        }
        assert!(before(&proxies, "http://metadata.example:1339/").is_some());
    }

    #[test]
    fn an_empty_variable_is_none_and_a_wrong_one_is_refused_without_its_value() {
        assert!(before(&proxies(&[("HTTPS_PROXY", " ")]).unwrap(), "https://a/").is_none());
        let lower = [("HTTPS_PROXY", ""), ("https_proxy", "http://p:1")];
        let star = [("HTTPS_PROXY", "http://p:1"), ("NO_PROXY", "a, *")];
        assert!(before(&proxies(&star).unwrap(), "https://10.0.0.1/").is_none());
        assert!(before(&proxies(&lower).unwrap(), "https://a/").is_some());
        for wrong in ["socks5://u:canary@p:1080", "http://", "ftp://canary", "ht tp://canary"] {
            let why = proxies(&[("HTTPS_PROXY", wrong)]).err().unwrap();
            assert_eq!(why.headline(), "HTTPS_PROXY is not the URL of an HTTP proxy", "{wrong}");
            assert!(!format!("{why:?}").contains("canary"));
        }
        let url = &proxies(&[("HTTPS_PROXY", "http://u:canary@p:1")]).unwrap();
        assert!(!format!("{:?}", url.https).contains("canary"));
    }
}
