//! What ECS does with a secret that the `secrets` of a container name: it reads the secret as the task's
//! execution role, and takes one member out where the reference names a JSON key.
//!
//! Source, for shape and words: the public source of the Amazon ECS agent (`agent/asm/asm.go` and
//! `agent/taskresource/asmsecret`), and stopped reasons of platform version 1.4.0 as public issue trackers
//! quote them.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;
use zeroize::Zeroizing;

use super::get_secret_value::GetSecretValue;
use super::registry_login::ExecutionSession;
use crate::cloud::CloudInstance;
use crate::services::own_call::{OwnCallFailure, call, told};

/// Parts of an ARN of a secret without anything after it.
const ARN_PARTS: usize = 7;

/// A secret as `valueFrom` names it: an ARN, and after it `:json-key:version-stage:version-id` or nothing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SecretSource {
    arn: String,
    region: String,
    json_key: Option<String>,
    version_stage: Option<String>,
    version_id: Option<String>,
}

/// Why ECS has no value; the text stands in the task's stopped reason.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(crate) enum TaskSecretError {
    /// The ARN has another number of parts.
    Arn,
    /// The call failed.
    Call { arn: String, failure: OwnCallFailure },
    /// The value is no JSON, and the reference names a key.
    NoJson { is_empty: bool },
    /// The JSON has no such key.
    NoKey { key: String },
}

impl SecretSource {
    /// Reads a `valueFrom`; `None` if it names no secret of Secrets Manager.
    pub fn parse(value_from: &str) -> Option<Result<Self, TaskSecretError>> {
        let parts: Vec<&str> = value_from.split(':').collect();
        if parts.first() != Some(&"arn") || parts.get(2) != Some(&"secretsmanager") {
            return None;
        }
        let part = |at: usize| {
            let text = parts.get(ARN_PARTS + at).copied().unwrap_or_default();
            (!text.is_empty()).then(|| text.to_owned())
        };
        if parts.len() != ARN_PARTS && parts.len() != ARN_PARTS + 3 {
            return Some(Err(TaskSecretError::Arn));
        }
        Some(Ok(Self {
            arn: parts[..ARN_PARTS].join(":"),
            region: parts[3].to_owned(),
            json_key: part(0),
            version_stage: part(1),
            version_id: part(2),
        }))
    }

    /// Its value as this session may read it.
    pub fn read(
        &self,
        cloud: &Arc<CloudInstance>,
        session: &ExecutionSession<'_>,
    ) -> Result<Zeroizing<String>, TaskSecretError> {
        let request = GetSecretValue {
            secret_id: Some(self.arn.clone()),
            version_id: self.version_id.clone(),
            version_stage: self.version_stage.clone(),
        };
        let answer = call(cloud, session, "GetSecretValue", &self.region, request)
            .map_err(|failure| TaskSecretError::Call { arn: self.arn.clone(), failure })?;
        // A value of bytes has no text, and the container gets an empty one.
        let text = Zeroizing::new(answer["SecretString"].as_str().unwrap_or_default().to_owned());
        match &self.json_key {
            None => Ok(text),
            Some(key) => member(&text, key),
        }
    }
}

/// One member of the JSON; what is no text is written as JSON.
fn member(text: &str, key: &str) -> Result<Zeroizing<String>, TaskSecretError> {
    let Ok(Value::Object(mut members)) = serde_json::from_str(text) else {
        return Err(TaskSecretError::NoJson { is_empty: text.is_empty() });
    };
    match members.remove(key) {
        Some(Value::String(value)) => Ok(Zeroizing::new(value)),
        Some(value) => Ok(Zeroizing::new(value.to_string())),
        None => Err(TaskSecretError::NoKey { key: key.to_owned() }),
    }
}

impl fmt::Display for TaskSecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const OPENING: &str =
            "ResourceInitializationError: unable to pull secrets or registry auth: ";
        const RETRIEVAL: &str = "execution resource retrieval failed: unable to retrieve secret from asm: \
                                 service call has been retried 1 time(s): ";
        f.write_str(OPENING)?;
        match self {
            Self::Arn => write!(
                f,
                "{RETRIEVAL}unexpected ARN format with parameters when trying to retrieve ASM secret"
            ),
            Self::Call { arn, failure: OwnCallFailure::Refused(refusal) } => {
                write!(
                    f,
                    "{RETRIEVAL}failed to fetch secret {arn} from secrets manager: {}",
                    told(refusal)
                )
            }
            Self::Call { arn, failure: OwnCallFailure::NoAnswer } => write!(
                f,
                "unable to retrieve secret from asm: There is a connection issue between the task and AWS \
                 Secrets Manager. Check your task network configuration. failed to fetch secret {arn} from \
                 secrets manager: operation error Secrets Manager: GetSecretValue, context deadline exceeded"
            ),
            // ECS quotes the first character of the value here; this cloud shows no part of a value.
            Self::NoJson { is_empty: false } => {
                write!(f, "{RETRIEVAL}invalid character '?' looking for beginning of value")
            }
            Self::NoJson { is_empty: true } => write!(f, "{RETRIEVAL}unexpected end of JSON input"),
            Self::NoKey { key } => write!(
                f,
                "{RETRIEVAL}retrieved secret from Secrets Manager did not contain json key {key}"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:ci/npm-a1B2c3";

    #[test]
    fn a_reference_is_an_arn_with_nothing_or_with_three_parts_after_it() {
        let source = |text: &str| SecretSource::parse(text).expect("of Secrets Manager");
        let whole = source(ARN).expect("an ARN");
        assert_eq!((whole.arn.as_str(), whole.json_key), (ARN, None));
        let part = source(&format!("{ARN}:token::v1")).expect("an ARN with three parts");
        assert_eq!((part.arn.as_str(), part.json_key.as_deref()), (ARN, Some("token")));
        assert_eq!((part.version_stage, part.version_id.as_deref()), (None, Some("v1")));
        assert_eq!(source(&format!("{ARN}:token")), Err(TaskSecretError::Arn));
        for other in ["/ci/token", "arn:aws:ssm:eu-west-1:123456789012:parameter/ci/token"] {
            assert_eq!(SecretSource::parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_key_is_taken_out_of_the_json_and_no_error_shows_a_part_of_the_value() {
        let text = r#"{"token":"s3cret","port":7}"#;
        assert_eq!(member(text, "token").expect("a text").as_str(), "s3cret");
        assert_eq!(member(text, "port").expect("a number").as_str(), "7");
        let said = |text, key| member(text, key).expect_err("an error").to_string();
        assert!(said(text, "user").ends_with("did not contain json key user"));
        assert!(
            said("s3cret", "token")
                .ends_with("invalid character '?' looking for beginning of value")
        );
        assert!(said("", "token").ends_with("unexpected end of JSON input"));
    }
}
