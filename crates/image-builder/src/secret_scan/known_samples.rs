//! What looks like a secret and is known to everybody: values that projects publish in their documentation and
//! tests, tokens that were issued by nobody, and logins at hosts that cannot exist.
//!
//! The content decides, never the place: whoever puts a secret of their own beside a sample is told of it.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Whether this value is one that a project publishes.
pub(super) fn is_published(value: &[u8]) -> bool {
    // Editors and archives change line ends, and nothing else.
    let plain = match value.contains(&b'\r') {
        true => Cow::Owned(value.iter().copied().filter(|byte| *byte != b'\r').collect()),
        false => Cow::Borrowed(value),
    };
    let digest = hex::encode(Sha256::digest(&plain));
    PUBLISHED.contains(&&digest[..16])
}

/// Whether this JSON Web Token names as its issuer, audience or subject what only samples name.
///
/// Source: RFC 7519, section 3.1; RFC 6963 for `urn:example`; the token that jwt.io shows.
pub(super) fn is_sample_token(token: &[u8]) -> bool {
    let Some(payload) = token.split(|byte| *byte == b'.').nth(1) else { return false };
    let Ok(payload) = URL_SAFE_NO_PAD.decode(payload) else { return false };
    let Ok(claims) = serde_json::from_slice::<Value>(&payload) else { return false };
    let named = |claim: &str| claims.get(claim).and_then(Value::as_str).unwrap_or_default();
    let is_sample = |name: &str| {
        let host = name.split_once("://").map(|(_, rest)| rest.split(['/', ':']).next());
        name.starts_with("urn:example:")
            || host.flatten().is_some_and(|host| is_reserved_host(host.as_bytes()))
    };
    ["iss", "aud"].iter().any(|claim| is_sample(named(claim)))
        || named("iss") == "joe"
        || named("sub") == "1234567890"
}

/// Whether no such host can exist, by its last labels.
///
/// Source: RFC 2606, sections 2 and 3; RFC 6761.
pub(super) fn is_reserved_host(host: &[u8]) -> bool {
    const RESERVED: [&[u8]; 6] =
        [b"example", b"invalid", b"test", b"example.com", b"example.net", b"example.org"];
    let host = host.to_ascii_lowercase();
    RESERVED.iter().any(|name| {
        host.strip_suffix(*name).is_some_and(|rest| rest.is_empty() || rest.ends_with(b"."))
    })
}

/// The first 16 hexadecimal digits of the SHA-256 of values that anybody finds in what these projects publish, as
/// reports show them. Source: the packages of Debian 12 that contain them.
const PUBLISHED: [&str; 66] = [
    // Crypt::JWT.
    "13e7f794793bfe30",
    "ea93d06a6fae8083",
    // CryptX.
    "007bffe603322355",
    "083536eff9636868",
    "0c29b2a85136733b",
    "100e49faf062309f",
    "142afaa3b673f324",
    "2da56be0d47134f7",
    "32ef765bbfa4d733",
    "4238f55cd98c2381",
    "42878b5da21ed700",
    "46d83e475c04eb12",
    "4fbf2b4b43e07b75",
    "57c5adecd00f6457",
    "816f1632103230b3",
    "8ba5d52c42acb883",
    "935e8c75d017852b",
    "936bac168b1c30b8",
    "a17d343979b9cc6b",
    "bf50f5dc7ca38575",
    "c9c1aff90231fbe5",
    "ce251f09bce723e1",
    "dadb08748fa61394",
    "dc95aee766c8d310",
    "e076ce6b54ea206d",
    "f29ae6a440975445",
    // Go.
    "267bc23f28d823c2",
    "3e8a7547e8945644",
    "c6bf323d95167478",
    // IO::Socket::SSL.
    "13db43a6fe8b0b21",
    // Mojolicious.
    "415d6628d3c3778f",
    // Net::SSLeay.
    "a2d123fc243a1710",
    // OpenSSL.
    "3b2b3385126a8dc2",
    "3bad06ce577ab28f",
    "3f6c4a198037b0cf",
    "4c875d4489f171b5",
    "511b8032236fdbed",
    "53a8093332296ac4",
    "81acb944147c51f4",
    "8cee0d4b2db013d5",
    "af35151834f6810a",
    "e565cfa578dd7d5c",
    // PyJWT.
    "1a9e7de3fd045251",
    "bf145d9380bbe05b",
    // Twisted.
    "00ba247b5c181203",
    "039dff56d46309df",
    "0fe377a7820eefb7",
    "15b0ca5fe2588698",
    "168beb163d53c110",
    "1a8383752d2aaef3",
    "3447de83caca26d6",
    "3af59603707b4d2a",
    "3d65767ecd0c61d2",
    "411bfa0d3f28a323",
    "741502de70d88e27",
    "8bd50e0f6631c79a",
    "96b429838d2af041",
    "aef1b3df7bc9aaac",
    "b3c57e9e8e5ca8fe",
    "cf355f56b1a55e72",
    "f229ee447ecc286c",
    "f7e25bd1a69f2c06",
    // jose.
    "102903a5e2a08df4",
    "574ef4ef5226e0cc",
    "85c7d0f257bef258",
    "d378be4fa787ca85",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &str) -> Vec<u8> {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let head = part("{\"alg\":\"HS256\"}");
        format!("{head}.{}.{}", part(claims), part("a signature of some length")).into_bytes()
    }

    #[test]
    fn a_token_is_a_sample_only_by_who_issued_it_and_for_whom() {
        for claims in [
            r#"{"iss":"urn:example:issuer","exp":1}"#,
            r#"{"aud":"https://api.example.com/v1"}"#,
            r#"{"sub":"1234567890","name":"John Doe"}"#,
            r#"{"iss":"joe"}"#,
        ] {
            assert!(is_sample_token(&token(claims)), "{claims}");
        }
        for claims in [
            r#"{"iss":"https://gitlab.corp","user":"a@example.com"}"#,
            r#"{"aud":"https://notexample.com"}"#,
            r#"{"iss":"https://example.com.corp.net/"}"#,
            "no JSON",
        ] {
            assert!(!is_sample_token(&token(claims)), "{claims}");
        }
    }

    #[test]
    fn a_host_is_reserved_by_its_last_labels() {
        for host in ["example.com", "My.Example.ORG", "registry.example", "a.invalid"] {
            assert!(is_reserved_host(host.as_bytes()), "{host}");
        }
        for host in ["example.co", "myexample.com", "example.com.evil.net", "latest"] {
            assert!(!is_reserved_host(host.as_bytes()), "{host}");
        }
    }

    #[test]
    fn published_values_are_told_apart_by_each_byte() {
        // From the README of PyJWT.
        let sample = [
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9",
            "eyJzb21lIjoicGF5bG9hZCJ9",
            "4twFt5NiznN84AWoo1d7KO1T_yoc0Z6XOpOVswacPZg",
        ];
        let sample = sample.join(".");
        assert!(is_published(sample.as_bytes()));
        assert!(!is_published(&sample.as_bytes()[1..]));
    }
}
