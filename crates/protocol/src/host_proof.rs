//! The proof by which a task shows that a host key is its own: a request to STS that the task signs
//! with its role, and that the driver builds again from what it knows itself.
//!
//! The agent sends only what the driver cannot know: which key signed, when, and the signature. All
//! other parts of the request come from this module on both sides. So the driver sends STS nothing
//! that the other side has shaped, and a signature for another purpose is worth nothing here.
//!
//! It signs nothing and sends nothing.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The value of the container's variable [`HOST_KEY_VARIABLE`] with which an agent makes its host
/// key itself, and proves it if its client asks.
pub const BY_TASK_ROLE: &str = "sts";

/// The variable that says how the agent gets its host key.
pub const HOST_KEY_VARIABLE: &str = "FARGATE_RUNNER_HOST_KEY";

/// The service in the signature's scope.
pub const PROOF_SERVICE: &str = "sts";

/// The body of the request.
///
/// Source: AWS Security Token Service API Reference, `GetCallerIdentity`, version 2011-06-15.
pub const PROOF_BODY: &str = "Action=GetCallerIdentity&Version=2011-06-15";

/// For whom the signature is. Another product that reads such signatures asks for another header, so
/// it does not take ours, and we do not take its.
const AUDIENCE: &str = "fargate-runner-host-key-1";

/// How many bytes a challenge has.
pub const CHALLENGE_LENGTH: usize = 32;

/// Longest session token that is accepted, in bytes. AWS names no limit; its tokens have about 1 KiB.
const LONGEST_TOKEN: usize = 16 * 1024;

/// What a client asks of an agent that should prove its host key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostProofRequest {
    /// The Region of the signature.
    pub region: String,
    /// The host name of STS, with the port if it is not the usual one.
    pub host: String,
}

impl HostProofRequest {
    /// Whether both parts look like a Region and a host. An agent signs nothing else.
    #[must_use]
    pub fn is_plausible(&self) -> bool {
        let region = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let host = |b: u8| b.is_ascii_alphanumeric() || b".-:[]".contains(&b);
        let is = |text: &str, allowed: &dyn Fn(u8) -> bool, most: usize| {
            (1..=most).contains(&text.len()) && text.bytes().all(allowed)
        };
        is(&self.region, &region, 63) && is(&self.host, &host, 255)
    }
}

/// What the agent sends: the parts of the signed request that the driver cannot know.
///
/// It is no secret. With it, anybody can ask STS who signed it, for some minutes, and nothing else.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostProof {
    /// The id of the key that signed. It names no secret.
    pub access_key_id: String,
    /// The token that belongs to that key. Without the key's secret it signs nothing.
    pub session_token: String,
    /// When it was signed: `YYYYMMDDTHHMMSSZ`.
    pub date: String,
    /// 64 hexadecimal digits.
    pub signature: String,
}

impl fmt::Debug for HostProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { access_key_id, date, .. } = self;
        f.debug_struct("HostProof")
            .field("access_key_id", access_key_id)
            .field("date", date)
            .finish_non_exhaustive()
    }
}

impl HostProof {
    /// The part that does not have the shape that AWS gives it. No part may hold a byte that could
    /// become another header.
    ///
    /// Source of the shapes: AWS Security Token Service API Reference, `Credentials`, and "Create a
    /// signed AWS API request".
    #[must_use]
    pub fn broken_part(&self) -> Option<&'static str> {
        let Self { access_key_id, session_token, date, signature } = self;
        let is_key = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit();
        let is_token = |b: u8| b.is_ascii_alphanumeric() || b"+/=_-".contains(&b);
        let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        let is_date = |(at, b): (usize, u8)| match at {
            8 => b == b'T',
            15 => b == b'Z',
            _ => b.is_ascii_digit(),
        };
        let key = (16..=128).contains(&access_key_id.len()) && access_key_id.bytes().all(is_key);
        let token = (1..=LONGEST_TOKEN).contains(&session_token.len())
            && session_token.bytes().all(is_token);
        let date = date.len() == 16 && date.bytes().enumerate().all(is_date);
        let signature = signature.len() == 64 && signature.bytes().all(is_hex);
        [(key, "access key id"), (token, "session token"), (date, "date"), (signature, "signature")]
            .into_iter()
            .find_map(|(is_right, part)| (!is_right).then_some(part))
    }
}

/// What a proof is about: this host key, for the client that sent this challenge, before this STS.
#[derive(Clone, Copy, Debug)]
pub struct HostProofStatement<'a> {
    /// The host name of STS, as in [`HostProofRequest`].
    pub host: &'a str,
    /// What the client sent in its hello, as hexadecimal digits.
    pub challenge: &'a str,
    /// The fingerprint of the host key: `SHA256:` and its hash in base64.
    pub host_key: &'a str,
}

impl HostProofStatement<'_> {
    /// The headers that both sides know, sorted by name. All of them are signed.
    #[must_use]
    pub fn headers(&self) -> [(&'static str, String); 5] {
        [
            ("content-type", "application/x-www-form-urlencoded; charset=utf-8".to_owned()),
            ("host", self.host.to_owned()),
            ("x-fargate-runner-audience", AUDIENCE.to_owned()),
            ("x-fargate-runner-challenge", self.challenge.to_owned()),
            ("x-fargate-runner-host-key", self.host_key.to_owned()),
        ]
    }

    /// All headers of the request that STS gets: those that both sides know, and what the proof
    /// adds. Call it only for a proof without a [`HostProof::broken_part`].
    #[must_use]
    pub fn signed_by(&self, proof: &HostProof, region: &str) -> Vec<(&'static str, String)> {
        let HostProof { access_key_id, session_token, date, signature } = proof;
        let mut headers = Vec::from(self.headers());
        headers.push(("x-amz-date", date.clone()));
        headers.push(("x-amz-security-token", session_token.clone()));
        headers.sort_unstable_by_key(|(name, _)| *name);
        let names: Vec<_> = headers.iter().map(|(name, _)| *name).collect();
        let day = date.get(..8).unwrap_or_default();
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={access_key_id}/{day}/{region}/{PROOF_SERVICE}/aws4_request, \
             SignedHeaders={}, Signature={signature}",
            names.join(";")
        );
        headers.push(("authorization", authorization));
        headers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proof() -> HostProof {
        HostProof {
            access_key_id: "ASIAIOSFODNN7EXAMPLE".to_owned(),
            session_token: "IQoJb3JpZ2luX2VjE+/=".to_owned(),
            date: "20261129T150000Z".to_owned(),
            signature: "0f".repeat(32),
        }
    }

    #[test]
    fn the_request_holds_the_constants_and_signs_each_of_its_headers() {
        let statement = HostProofStatement {
            host: "sts.eu-west-1.amazonaws.com",
            challenge: "c0ffee",
            host_key: "SHA256:abc",
        };
        let lines: Vec<_> = statement
            .signed_by(&proof(), "eu-west-1")
            .into_iter()
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        assert_eq!(
            lines,
            [
                "content-type: application/x-www-form-urlencoded; charset=utf-8",
                "host: sts.eu-west-1.amazonaws.com",
                "x-amz-date: 20261129T150000Z",
                "x-amz-security-token: IQoJb3JpZ2luX2VjE+/=",
                "x-fargate-runner-audience: fargate-runner-host-key-1",
                "x-fargate-runner-challenge: c0ffee",
                "x-fargate-runner-host-key: SHA256:abc",
                &format!(
                    "authorization: AWS4-HMAC-SHA256 \
                     Credential=ASIAIOSFODNN7EXAMPLE/20261129/eu-west-1/sts/aws4_request, \
                     SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;\
                     x-fargate-runner-audience;x-fargate-runner-challenge;\
                     x-fargate-runner-host-key, Signature={}",
                    "0f".repeat(32)
                ),
            ]
        );
    }

    #[test]
    fn no_part_of_a_proof_can_become_another_header() {
        assert_eq!(proof().broken_part(), None);
        let broken = |change: &dyn Fn(&mut HostProof)| {
            let mut odd = proof();
            change(&mut odd);
            odd.broken_part()
        };
        for odd in ["", "short", "ASIAIOSFODNN7EXAMPLE\r\nX: y", "asiaiosfodnn7example/"] {
            let part = broken(&|proof| proof.access_key_id = odd.to_owned());
            assert_eq!(part, Some("access key id"), "{odd:?}");
        }
        for odd in ["", "a b", "a\r\nx-amz-date: b", "ä"] {
            let part = broken(&|proof| proof.session_token = odd.to_owned());
            assert_eq!(part, Some("session token"), "{odd:?}");
        }
        let long = "A".repeat(LONGEST_TOKEN + 1);
        assert_eq!(broken(&|proof| proof.session_token = long.clone()), Some("session token"));
        for odd in ["", "20261129T150000", "20261129 150000Z", "2026-11-29T15:00", "ääääääää"]
        {
            assert_eq!(broken(&|proof| proof.date = odd.to_owned()), Some("date"), "{odd:?}");
        }
        for odd in [String::new(), "0F".repeat(32), "0f".repeat(31), "0f".repeat(33)] {
            let part = broken(&|proof| proof.signature = odd.clone());
            assert_eq!(part, Some("signature"), "{odd:?}");
        }
    }

    #[test]
    fn only_a_region_and_a_host_are_signed_for() {
        let is = |region: &str, host: &str| {
            HostProofRequest { region: region.to_owned(), host: host.to_owned() }.is_plausible()
        };
        assert!(is("eu-west-1", "sts.eu-west-1.amazonaws.com") && is("us-east-1", "[::1]:4000"));
        for (region, host) in
            [("", "h"), ("eu west", "h"), ("eu-west-1", ""), ("eu-west-1", "h\r\nx: y")]
        {
            assert!(!is(region, host), "{region:?} {host:?}");
        }
    }

    #[test]
    fn neither_token_nor_signature_is_shown() {
        let shown = format!("{:?}", proof());
        assert!(!shown.contains("IQoJ") && !shown.contains("0f0f"), "{shown}");
    }
}
