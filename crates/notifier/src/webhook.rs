//! A message to a webhook: an HTTP POST with JSON, signed if there is a key.
//!
//! The signature covers the time and the body: `X-Fargate-Runner-Signature: t=SECONDS,v1=HEX`, where HEX is
//! HMAC-SHA256 of `SECONDS.BODY` with the key. A receiver computes the same, and refuses old times.

use std::time::{SystemTime, UNIX_EPOCH};

use fargate_aws::WebRequest;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use url::{Host, Url};

use crate::notice::OperatorNotice;

/// The header of the signature.
const SIGNATURE: &str = "x-fargate-runner-signature";

/// The request that tells `notice`.
///
/// # Errors
///
/// In words that do not repeat the URL, if it may not be used.
pub(crate) fn request(
    url: &str,
    key: Option<&str>,
    notice: &OperatorNotice,
) -> Result<WebRequest, String> {
    check_url(url)?;
    let body = notice.json();
    let mut headers = vec![
        ("content-type", "application/json".to_owned()),
        ("user-agent", concat!("fargate-runner/", env!("CARGO_PKG_VERSION")).to_owned()),
    ];
    if let Some(key) = key {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        headers.push((SIGNATURE, signature(key, now, &body)));
    }
    Ok(WebRequest { method: "POST", url: url.to_owned(), headers, body })
}

/// HTTPS, or HTTP to this machine: whoever reads the way there could write to the webhook, too.
fn check_url(url: &str) -> Result<(), String> {
    let parsed = Url::parse(url).map_err(|_| "the URL of the webhook is no URL".to_owned())?;
    let is_here = match parsed.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    match parsed.scheme() {
        "https" => Ok(()),
        "http" if is_here => Ok(()),
        _ => Err("the URL of the webhook must begin with https://, or lead to this machine".into()),
    }
}

fn signature(key: &str, at_s: u64, body: &str) -> String {
    let keyed = Hmac::<Sha256>::new_from_slice(key.as_bytes());
    // HMAC takes keys of every length.
    let mut mac = keyed.expect("a key of any length");
    mac.update(format!("{at_s}.{body}").as_bytes());
    format!("t={at_s},v1={}", hex::encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_time_and_body() {
        // Checked with `printf '%s' '1795989600.{}' | openssl dgst -sha256 -hmac key`.
        insta::assert_snapshot!(signature("key", 1_795_989_600, "{}"));
        assert_ne!(signature("key", 1, "{}"), signature("other", 1, "{}"));
    }

    #[test]
    fn no_message_leaves_this_machine_in_the_clear() {
        for right in ["https://hooks.example.org/x", "http://127.0.0.1:9/x", "http://[::1]/x"] {
            assert_eq!(check_url(right), Ok(()), "{right}");
        }
        let odd = [
            "http://hooks.example.org/T0",
            "ftp://127.0.0.1/T0",
            "T0",
            "http://127.0.0.1.example.org/T0",
        ];
        for wrong in odd {
            let refused = check_url(wrong).unwrap_err();
            assert!(!refused.contains("T0"), "{refused}");
        }
    }
}
