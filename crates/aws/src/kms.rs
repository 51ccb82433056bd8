//! The calls to KMS that this crate makes: the public half of a signing key, one signature, the state of a
//! key and its policy.
//!
//! Each call is made once. The key itself never leaves KMS.
//!
//! Source: AWS Key Management Service API Reference, `GetPublicKey`, `Sign`, `DescribeKey` and
//! `GetKeyPolicy`.

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
const DESCRIBE_KEY: &[(&str, &str)] =
    &[("content-type", "application/x-amz-json-1.1"), ("x-amz-target", "TrentService.DescribeKey")];
const GET_KEY_POLICY: &[(&str, &str)] = &[
    ("content-type", "application/x-amz-json-1.1"),
    ("x-amz-target", "TrentService.GetKeyPolicy"),
];

/// A key of KMS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KmsKeyFacts {
    /// The ARN.
    pub arn: String,
    /// Its state: `Enabled` if it can be used.
    pub state: String,
    /// Whether AWS manages it for one of its services. Then everybody who may use the service may use it.
    pub is_of_aws: bool,
}

/// Longest answer that is read, in bytes. A policy has at most 32 KiB, and a public key of RSA with 4096 bits has about 800.
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

    /// Calls `DescribeKey` for a key's ARN, id or alias. Returns `None` if there is no such key.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if the call is refused, or if no usable answer comes.
    pub async fn kms_key(&self, key: &str) -> Result<Option<KmsKeyFacts>, CallError> {
        let asked = json!({ "KeyId": key });
        match self.ask_kms(key, DESCRIBE_KEY, &asked).await {
            Ok(said) => key_facts(&said).map(Some),
            Err(CallError::Answered { code, .. }) if code == "NotFoundException" => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Calls `GetKeyPolicy` for a key's ARN or id: the one policy of a key.
    ///
    /// # Errors
    ///
    /// As [`Self::kms_public_key`].
    pub async fn kms_key_policy(&self, key: &str) -> Result<String, CallError> {
        let said = self.ask_kms(key, GET_KEY_POLICY, &json!({ "KeyId": key })).await?;
        let policy = said["Policy"].as_str().map(str::to_owned);
        policy.ok_or_else(|| unreadable(&"it has no Policy"))
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

fn key_facts(said: &Value) -> Result<KmsKeyFacts, CallError> {
    let text = |member: &str| {
        let text = said["KeyMetadata"][member].as_str().map(str::to_owned);
        text.ok_or_else(|| unreadable(&format!("its KeyMetadata has no {member}")))
    };
    Ok(KmsKeyFacts {
        arn: text("Arn")?,
        state: text("KeyState")?,
        is_of_aws: said["KeyMetadata"]["KeyManager"] == "AWS",
    })
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
    fn a_key_is_read_with_its_state_and_whose_it_is() {
        let said = json!({ "KeyMetadata": {
            "Arn": "arn:k", "KeyState": "PendingDeletion", "KeyManager": "CUSTOMER", "Enabled": false,
        } });
        let facts = key_facts(&said).unwrap();
        assert_eq!((facts.state.as_str(), facts.is_of_aws), ("PendingDeletion", false));
        assert!(key_facts(&json!({ "KeyMetadata": {} })).is_err());
    }

    #[test]
    fn an_answer_without_what_was_asked_for_is_an_error() {
        assert_eq!(decoded(&json!({ "Signature": "AQI=" }), "Signature").unwrap(), [1, 2]);
        for odd in [json!({}), json!([]), json!({ "Signature": 5 }), json!({ "Signature": "?" })] {
            assert!(decoded(&odd, "Signature").is_err(), "{odd}");
        }
    }
}
