//! One parameter with its versions. Dropping it overwrites its values in memory.

use std::time::SystemTime;

use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::errors;
use super::parameter_reference::arn;
use crate::clock::epoch_seconds;
use crate::random_id;
use crate::wire::exception::ServiceException;
use crate::wire::member::without_nulls;

/// Versions that are kept, the newest. Source: AWS Systems Manager User Guide, "Working with parameter
/// versions".
const MAX_VERSIONS: usize = 100;
/// The key of a `SecureString` whose request names none. Source: as above.
const DEFAULT_KEY: &str = "alias/aws/ssm";

/// How the value of a parameter is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterKind {
    Plain,
    List,
    Secure,
}

impl ParameterKind {
    /// Reads the word of the API.
    pub fn read(word: &str) -> Result<Self, ServiceException> {
        let all = [Self::Plain, Self::List, Self::Secure];
        all.into_iter().find(|kind| kind.word() == word).ok_or_else(|| {
            errors::model("type", "satisfy enum value set: [SecureString, StringList, String]")
        })
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Plain => "String",
            Self::List => "StringList",
            Self::Secure => "SecureString",
        }
    }
}

/// One parameter. It has no `Debug`, so that no value is printed.
pub struct StoredParameter {
    pub name: String,
    pub kind: ParameterKind,
    pub key_id: Option<String>,
    pub description: Option<String>,
    /// The newest last; never empty.
    pub versions: Vec<ParameterVersion>,
}

/// One version.
pub struct ParameterVersion {
    /// The first is 1.
    pub number: i64,
    pub value: Zeroizing<String>,
    pub changed: SystemTime,
}

impl StoredParameter {
    /// Adds a version, and forgets the oldest where there are too many. Returns its number.
    pub fn put(&mut self, value: Zeroizing<String>, now: SystemTime) -> i64 {
        let number = self.versions.last().map_or(1, |last| last.number + 1);
        self.versions.push(ParameterVersion { number, value, changed: now });
        let too_many = self.versions.len().saturating_sub(MAX_VERSIONS);
        self.versions.drain(..too_many);
        number
    }

    /// The version with this number, or the newest.
    pub fn version(&self, number: Option<i64>) -> Result<&ParameterVersion, ServiceException> {
        let Some(number) = number else {
            return Ok(self.versions.last().expect("a parameter has a version"));
        };
        let found = self.versions.iter().find(|version| version.number == number);
        found.ok_or_else(|| errors::no_version(&self.name, number))
    }

    /// The member `Parameter` of an answer. Without decryption a `SecureString` is unreadable.
    pub fn shown(
        &self,
        number: Option<i64>,
        region: &str,
        decrypts: bool,
    ) -> Result<Value, ServiceException> {
        let version = self.version(number)?;
        let value = match self.kind == ParameterKind::Secure && !decrypts {
            true => format!("AQICAH{}", random_id::letters_and_digits(90)),
            false => version.value.to_string(),
        };
        Ok(without_nulls(json!({
            "Name": self.name,
            "Type": self.kind.word(),
            "Value": value,
            "Version": version.number,
            "Selector": number.map(|number| format!(":{number}")),
            "LastModifiedDate": epoch_seconds(version.changed),
            "ARN": arn(region, &self.name),
            "DataType": "text",
        })))
    }

    /// An entry of `DescribeParameters`, which has no value.
    pub fn described(&self, region: &str, user: &str) -> Value {
        let newest = self.versions.last().expect("a parameter has a version");
        let is_secure = self.kind == ParameterKind::Secure;
        let key = self.key_id.as_deref().unwrap_or(DEFAULT_KEY);
        without_nulls(json!({
            "Name": self.name,
            "ARN": arn(region, &self.name),
            "Type": self.kind.word(),
            "KeyId": is_secure.then_some(key),
            "LastModifiedDate": epoch_seconds(newest.changed),
            "LastModifiedUser": user,
            "Description": self.description,
            "Version": newest.number,
            "Tier": "Standard",
            "Policies": [],
            "DataType": "text",
        }))
    }
}
