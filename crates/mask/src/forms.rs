//! The forms in which a secret may be written: unchanged, in base64 at any position,
//! percent-encoded, and escaped as in JSON or a log.
//!
//! It only lists forms. `masker` searches for them.

use std::fmt::Write as _;

use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use super::SHORTEST;

/// All different forms of `secret` that are long enough to be recognised.
pub fn all(secret: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = vec![secret.to_vec()];
    for shift in 0..3 {
        forms.push(inside(&STANDARD, secret, shift));
        forms.push(inside(&URL_SAFE, secret, shift));
    }
    forms.push(percent(secret, |byte| format!("%{byte:02X}")));
    forms.push(percent(secret, |byte| format!("%{byte:02x}")));
    forms.push(percent(secret, |byte| match byte {
        b' ' => "+".to_owned(),
        byte => format!("%{byte:02X}"),
    }));
    if let Ok(text) = std::str::from_utf8(secret) {
        let quoted = serde_json::Value::from(text).to_string();
        forms.push(quoted.as_bytes()[1..quoted.len() - 1].to_vec());
        forms.push(fargate_model::text::escape(text).into_bytes());
    }
    forms.sort();
    forms.dedup();
    forms.retain(|form| form.len() >= SHORTEST);
    forms
}

/// The base64 characters that depend on the secret alone, if `shift` bytes stand before it in a
/// group of three. The characters at both ends also hold bits of its neighbours.
fn inside(alphabet: &impl base64::Engine, secret: &[u8], shift: usize) -> Vec<u8> {
    let mut bytes = vec![0; shift];
    bytes.extend_from_slice(secret);
    let text = alphabet.encode(&bytes).into_bytes();
    let from = (shift * 8).div_ceil(6);
    let to = bytes.len() * 8 / 6;
    text[from..to].to_vec()
}

/// Source: RFC 3986, section 2.3, "Unreserved Characters".
fn percent(secret: &[u8], escaped: impl Fn(u8) -> String) -> Vec<u8> {
    let mut text = String::with_capacity(secret.len());
    for &byte in secret {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "{}", escaped(byte));
        }
    }
    text.into_bytes()
}
