//! One version of a secret: its value and its staging labels.

use std::fmt;
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use zeroize::Zeroize;

use crate::wire::member::{ShapeMember, WrongType};

/// The label of the version that readers get by default.
pub const CURRENT: &str = "AWSCURRENT";
/// The label of the version that was current before.
pub const PREVIOUS: &str = "AWSPREVIOUS";

/// What a version holds. Dropping it overwrites it in memory.
#[derive(Clone, PartialEq, Eq)]
pub enum SecretValue {
    Text(String),
    Bytes(Vec<u8>),
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue(hidden)")
    }
}

impl Drop for SecretValue {
    fn drop(&mut self) {
        match self {
            Self::Text(text) => text.zeroize(),
            Self::Bytes(bytes) => bytes.zeroize(),
        }
    }
}

/// One version.
#[derive(Clone, Debug)]
pub struct SecretVersion {
    /// The client request token that made it.
    pub id: String,
    pub value: SecretValue,
    pub labels: Vec<String>,
    pub created: SystemTime,
}

impl SecretVersion {
    pub fn has_label(&self, label: &str) -> bool {
        self.labels.iter().any(|own| own == label)
    }
}

/// Bytes, which stand in JSON as base64.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlobMember(pub Vec<u8>);

impl ShapeMember for BlobMember {
    fn read(value: Value) -> Result<Self, WrongType> {
        let text = String::read(value)?;
        let wrong = |_| WrongType("Invalid Base64 in a blob".to_owned());
        STANDARD.decode(text).map(Self).map_err(wrong)
    }
    fn write(&self) -> Value {
        Value::String(STANDARD.encode(&self.0))
    }
}
