//! Verifies Signature Version 4 as AWS does: every request must be signed, and the signature must cover
//! `host` and every `x-amz-` header.
//!
//! Source: AWS Identity and Access Management User Guide, "Create a signed AWS API request". It
//! accepts no pre-signed addresses, no `aws-chunked` bodies and no asymmetric signatures, because no
//! client of the services here uses them.

use std::time::{Duration, SystemTime};

use axum::http::{HeaderMap, Method, Uri};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::credentials::{AcceptedKey, AcceptedKeys, CallerPrincipal};
use super::exception::ServiceException;
use super::timestamp;

/// The algorithm in the `Authorization` header.
const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// How far a request's time may be from ours, in either direction. Source: as above.
const CLOCK_SKEW: Duration = Duration::from_secs(5 * 60);

/// A request whose signature is not yet verified.
pub struct UnverifiedRequest<'a> {
    pub method: &'a Method,
    pub uri: &'a Uri,
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
}

/// Who signed a request, and for which Region.
#[derive(Clone, Debug)]
pub struct VerifiedSigner {
    pub region: String,
    pub access_key_id: String,
    pub principal: CallerPrincipal,
}

/// The times with which a signature is compared.
#[derive(Clone, Copy, Debug)]
pub struct SignatureTimes {
    /// For the time at which it was made.
    pub signing: SystemTime,
    /// For the end of its key's validity.
    pub expiry: SystemTime,
}

/// Checks the signature for `service` against `keys`.
pub fn verify(
    request: &UnverifiedRequest<'_>,
    service: &str,
    keys: &AcceptedKeys,
    times: SignatureTimes,
) -> Result<VerifiedSigner, ServiceException> {
    let authorization = AuthorizationHeader::read(request.headers)?;
    let date = request_time(request.headers)?;
    let key = known_key(&authorization, request.headers, keys, times.expiry)?;
    within_skew(&date, times.signing)?;
    check_scope(&authorization, service, &date)?;
    let canonical = canonical_request(request, &authorization)?;
    let scope = authorization.scope.join("/");
    let to_sign = format!(
        "{ALGORITHM}\n{}\n{scope}\n{}",
        date.text,
        hex::encode(Sha256::digest(canonical.as_bytes()))
    );
    let [day, region, ..] = &authorization.scope;
    let signature = hex::decode(authorization.signature).unwrap_or_default();
    signing_mac(&key.secret, day, region, service)
        .chain_update(to_sign.as_bytes())
        .verify_slice(&signature)
        .map_err(|_| {
            ServiceException::new(
                "InvalidSignatureException",
                "The request signature we calculated does not match the signature you provided. \
                 Check your AWS Secret Access Key and signing method. Consult the service \
                 documentation for details.",
            )
        })?;
    Ok(VerifiedSigner {
        region: (*region).to_owned(),
        access_key_id: authorization.access_key_id.to_owned(),
        principal: key.principal,
    })
}

/// The parts of the `Authorization` header.
struct AuthorizationHeader<'a> {
    access_key_id: &'a str,
    /// Day, Region, service, terminator.
    scope: [&'a str; 4],
    signed_headers: Vec<&'a str>,
    signature: &'a str,
}

impl<'a> AuthorizationHeader<'a> {
    fn read(headers: &'a HeaderMap) -> Result<Self, ServiceException> {
        let Some(header) = headers.get("authorization") else {
            return Err(ServiceException::new(
                "MissingAuthenticationTokenException",
                "Missing Authentication Token",
            ));
        };
        let incomplete = |what: &str| ServiceException::new("IncompleteSignatureException", what);
        let text = header.to_str().map_err(|_| incomplete("Authorization header is not text."))?;
        let Some(fields) = text.strip_prefix(ALGORITHM) else {
            return Err(incomplete("Unsupported AWS 'algorithm'."));
        };
        let (mut credential, mut signed_headers, mut signature) = (None, None, None);
        for field in fields.split(',').map(str::trim) {
            match field.split_once('=') {
                Some(("Credential", value)) => credential = Some(value),
                Some(("SignedHeaders", value)) => signed_headers = Some(value),
                Some(("Signature", value)) => signature = Some(value),
                _ => {}
            }
        }
        let missing =
            |name: &str| incomplete(&format!("Authorization header requires '{name}' parameter."));
        let credential = credential.ok_or_else(|| missing("Credential"))?;
        let signed_headers = signed_headers.ok_or_else(|| missing("SignedHeaders"))?;
        let signature = signature.ok_or_else(|| missing("Signature"))?;
        let mut parts = credential.split('/');
        let access_key_id = parts.next().unwrap_or_default();
        let scope: Vec<_> = parts.collect();
        let scope = scope.try_into().map_err(|_| {
            incomplete(
                "Credential must have exactly 5 slash-delimited elements, e.g. \
                 keyid/date/region/service/term.",
            )
        })?;
        let signed_headers = signed_headers.split(';').collect();
        Ok(Self { access_key_id, scope, signed_headers, signature })
    }
}

/// The time that a request says it was signed at.
struct RequestTime<'a> {
    text: &'a str,
    time: SystemTime,
}

fn request_time(headers: &HeaderMap) -> Result<RequestTime<'_>, ServiceException> {
    let text = headers.get("x-amz-date").and_then(|value| value.to_str().ok()).unwrap_or_default();
    match timestamp::parse(text) {
        Some(time) => Ok(RequestTime { text, time }),
        None => Err(ServiceException::new(
            "IncompleteSignatureException",
            "Date must be in ISO-8601 'basic format', in a 'X-Amz-Date' header.",
        )),
    }
}

/// The key of the request, with the session token that belongs to it.
fn known_key(
    authorization: &AuthorizationHeader<'_>,
    headers: &HeaderMap,
    keys: &AcceptedKeys,
    now: SystemTime,
) -> Result<AcceptedKey, ServiceException> {
    let unknown = || {
        ServiceException::new(
            "InvalidClientTokenId",
            "The security token included in the request is invalid.",
        )
    };
    let key = keys.find(authorization.access_key_id).ok_or_else(unknown)?;
    let given = headers.get("x-amz-security-token").map(axum::http::HeaderValue::as_bytes);
    let right = match (&key.session_token, given) {
        (None, None) => true,
        // Comparing digests takes the same time wherever the tokens differ, so the time tells nothing.
        (Some(expected), Some(given)) => Sha256::digest(expected) == Sha256::digest(given),
        _ => false,
    };
    if !right {
        return Err(unknown());
    }
    if key.expires_at.is_some_and(|end| end <= now) {
        return Err(ServiceException::expired());
    }
    Ok(key)
}

fn within_skew(date: &RequestTime<'_>, now: SystemTime) -> Result<(), ServiceException> {
    let refuse = |message| Err(ServiceException::new("InvalidSignatureException", message));
    let (given, ours) = (date.text, timestamp::format(now));
    let minutes = CLOCK_SKEW.as_secs() / 60;
    if date.time + CLOCK_SKEW < now {
        let bound = timestamp::format(now - CLOCK_SKEW);
        return refuse(format!(
            "Signature expired: {given} is now earlier than {bound} ({ours} - {minutes} min.)"
        ));
    }
    if now + CLOCK_SKEW < date.time {
        let bound = timestamp::format(now + CLOCK_SKEW);
        return refuse(format!(
            "Signature not yet current: {given} is still later than {bound} ({ours} + {minutes} \
             min.)"
        ));
    }
    Ok(())
}

fn check_scope(
    authorization: &AuthorizationHeader<'_>,
    expected: &str,
    date: &RequestTime<'_>,
) -> Result<(), ServiceException> {
    let [day, region, service, terminator] = authorization.scope;
    let mut wrong = Vec::new();
    if !is_region(region) {
        wrong.push(format!("Credential should be scoped to a valid Region, not '{region}'. "));
    }
    if service != expected {
        wrong.push(format!("Credential should be scoped to correct service: '{expected}'. "));
    }
    if terminator != "aws4_request" {
        wrong.push(format!(
            "Credential should be scoped with a valid terminator: 'aws4_request', not \
             '{terminator}'. "
        ));
    }
    if !date.text.starts_with(day) || day.len() != 8 {
        wrong.push(format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from \
             HTTP: '{day}' != '{}', from '{}'.",
            &date.text[..8],
            date.text
        ));
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(ServiceException::new("InvalidSignatureException", wrong.concat().trim_end()))
}

/// Lower-case words and a number, as in `us-gov-east-1`.
fn is_region(text: &str) -> bool {
    let parts: Vec<_> = text.split('-').collect();
    let [words @ .., number] = parts.as_slice() else {
        return false;
    };
    let word = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
    let digits = |part: &str| (1..=2).contains(&part.len()) && part.parse::<u8>().is_ok();
    text.len() <= 32 && words.len() >= 2 && words.iter().all(word) && digits(number)
}

fn canonical_request(
    request: &UnverifiedRequest<'_>,
    authorization: &AuthorizationHeader<'_>,
) -> Result<String, ServiceException> {
    let signed = &authorization.signed_headers;
    for (name, _) in request.headers {
        let name = name.as_str();
        let must = name == "host" || (name.starts_with("x-amz-") && !is_added_by_transport(name));
        if must && !signed.contains(&name) {
            return Err(ServiceException::new(
                "InvalidSignatureException",
                format!("'{name}' must be a 'SignedHeader' in the AWS Authorization."),
            ));
        }
    }
    let mut headers = String::new();
    for name in signed {
        let values: Vec<_> = request.headers.get_all(*name).iter().map(trimmed).collect();
        headers += &format!("{name}:{}\n", values.join(","));
    }
    let path = encoded_again(request.uri.path());
    let mut query: Vec<_> =
        request.uri.query().unwrap_or_default().split('&').filter(|p| !p.is_empty()).collect();
    query.sort_unstable();
    Ok([
        request.method.as_str(),
        &path,
        &query.join("&"),
        &headers,
        &signed.join(";"),
        &hex::encode(Sha256::digest(request.body)),
    ]
    .join("\n"))
}

/// The path as a signature has it: encoded once more, because it stands encoded in the request.
fn encoded_again(path: &str) -> String {
    if path.is_empty() {
        return "/".to_owned();
    }
    let mut encoded = String::new();
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => {
                encoded.push(char::from(byte));
            }
            _ => encoded += &format!("%{byte:02X}"),
        }
    }
    encoded
}

/// Headers that tracing layers between client and service add after the signature.
fn is_added_by_transport(name: &str) -> bool {
    matches!(name, "x-amzn-trace-id" | "x-amz-cf-id")
}

/// The value without outer blanks, and with inner runs of blanks as one.
fn trimmed(value: &axum::http::HeaderValue) -> String {
    let text = String::from_utf8_lossy(value.as_bytes());
    text.split(' ').filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The authentication code with the key for this day, Region and service. The caller adds the text.
fn signing_mac(secret: &str, day: &str, region: &str, service: &str) -> Hmac<Sha256> {
    let keyed = |key: &[u8]| Hmac::<Sha256>::new_from_slice(key).expect("any length is a key");
    let mut key = format!("AWS4{secret}").into_bytes();
    for part in [day, region, service, "aws4_request"] {
        key = keyed(&key).chain_update(part.as_bytes()).finalize().into_bytes().to_vec();
    }
    keyed(&key)
}

#[cfg(test)]
mod tests;
