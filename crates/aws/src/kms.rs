//! The two calls to KMS that this crate makes: the public half of a signing key, and one signature.
//!
//! Each call is made once. The key itself never leaves KMS.
//!
//! Source: AWS Key Management Service API Reference, `GetPublicKey` and `Sign`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::account::AwsAccount;
use crate::call::CallError;
use crate::json_refusal::refusal;
use crate::signed_request::UnsignedRequest;

const WHO: &str = "KMS";
const GET_PUBLIC_KEY: &[(&str, &str)] = &[
    ("content-type", "application/x-amz-json-1.1"),
    ("x-amz-target", "TrentService.GetPublicKey"),
];
const SIGN: &[(&str, &str)] =
    &[("content-type", "application/x-amz-json-1.1"), ("x-amz-target", "TrentService.Sign")];
/// Longest answer that is read, in bytes. A public key of RSA with 4096 bits has about 800.
const LONGEST: usize = 64 * 1024;

impl AwsAccount {
    /// The public half of the key with this ARN, in DER (`SubjectPublicKeyInfo`).
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if the call is refused, or if no usable answer comes.
    pub async fn kms_public_key(&self, arn: &str) -> Result<Vec<u8>, CallError> {
        let said = self.ask_kms(arn, GET_PUBLIC_KEY, &json!({ "KeyId": arn })).await?;
        decoded(&said, "PublicKey")
    }

    /// Signs the SHA-256 `hash` with the key of this ARN, by ECDSA. Gives the signature in DER.
    ///
    /// # Errors
    ///
    /// As [`Self::kms_public_key`].
    pub async fn kms_sign(&self, arn: &str, hash: &[u8]) -> Result<Vec<u8>, CallError> {
        let asked = json!({
            "KeyId": arn, "Message": STANDARD.encode(hash), "MessageType": "DIGEST",
            "SigningAlgorithm": "ECDSA_SHA_256",
        });
        decoded(&self.ask_kms(arn, SIGN, &asked).await?, "Signature")
    }

    async fn ask_kms(
        &self,
        arn: &str,
        headers: &[(&'static str, &'static str)],
        asked: &Value,
    ) -> Result<Value, CallError> {
        // A key is used in its own Region, wherever this host works.
        let region = arn.split(':').nth(3).filter(|region| !region.is_empty());
        let region = region.unwrap_or(&self.region);
        let question = UnsignedRequest {
            who: WHO,
            service: "kms",
            region,
            endpoint: self.endpoint_in(region, "kms"),
            headers,
            body: asked.to_string(),
            longest: LONGEST,
        };
        let said = self.ask(question).await?;
        match said.status {
            200..300 => serde_json::from_str(&said.body).map_err(|error| unreadable(&error)),
            _ => Err(self.judged(refusal(&said, &self.masker))),
        }
    }
}

fn decoded(said: &Value, member: &str) -> Result<Vec<u8>, CallError> {
    let text = said[member].as_str().ok_or_else(|| unreadable(&format!("it has no {member}")))?;
    STANDARD.decode(text).map_err(|_| unreadable(&format!("its {member} is no base64")))
}

fn unreadable(why: &dyn std::fmt::Display) -> CallError {
    CallError::Unreadable { text: format!("{WHO}'s answer is not as documented: {why}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_without_what_was_asked_for_is_an_error() {
        assert_eq!(decoded(&json!({ "Signature": "AQI=" }), "Signature").unwrap(), [1, 2]);
        for odd in [json!({}), json!([]), json!({ "Signature": 5 }), json!({ "Signature": "?" })] {
            assert!(decoded(&odd, "Signature").is_err(), "{odd}");
        }
    }
}
