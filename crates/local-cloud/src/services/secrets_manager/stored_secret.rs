//! One secret: what is known about it, its versions, and how a new version moves the staging labels.
//!
//! Source, for the labels: AWS Secrets Manager API Reference, `PutSecretValue`.

use std::time::SystemTime;

use serde_json::{Value, json};

use super::errors;
use super::secret_tags::SecretTags;
use super::secret_version::{CURRENT, PREVIOUS, SecretValue, SecretVersion};
use crate::clock::epoch_seconds;
use crate::wire::exception::ServiceException;
use crate::wire::member::{ShapeMember, without_nulls};

/// Versions without a label that are kept, the newest. AWS keeps about as many.
const MAX_UNLABELLED: usize = 100;

/// One secret.
#[derive(Clone, Debug)]
pub struct StoredSecret {
    pub arn: String,
    pub name: String,
    pub description: Option<String>,
    pub kms_key_id: Option<String>,
    pub tags: SecretTags,
    /// The newest last.
    pub versions: Vec<SecretVersion>,
    pub created: SystemTime,
    pub changed: SystemTime,
    /// When somebody read a value last.
    pub accessed: Option<SystemTime>,
    /// When it will be gone, once it is marked for deletion.
    pub deletion: Option<SystemTime>,
}

impl StoredSecret {
    /// An error if it is marked for deletion.
    pub fn check_usable(&self) -> Result<(), ServiceException> {
        match self.deletion {
            None => Ok(()),
            Some(_) => Err(errors::marked_for_deletion()),
        }
    }

    /// The version with an id, or with a label.
    pub fn version(
        &self,
        id: Option<&str>,
        label: Option<&str>,
    ) -> Result<&SecretVersion, ServiceException> {
        let Some(id) = id else {
            let label = label.unwrap_or(CURRENT);
            let labelled = self.versions.iter().find(|version| version.has_label(label));
            return labelled.ok_or_else(|| errors::no_value_with_label(label));
        };
        let version = self.versions.iter().find(|version| version.id == id);
        let version = version.ok_or_else(|| errors::no_value_with_id(id))?;
        if label.is_some_and(|label| !version.has_label(label)) {
            return Err(errors::request(
                "You provided a VersionStage that is not associated to the provided VersionId.",
            ));
        }
        Ok(version)
    }

    /// Adds a version and moves `labels` to it. The same token with the same value changes nothing.
    pub fn put(
        &mut self,
        token: &str,
        value: SecretValue,
        labels: Option<Vec<String>>,
        now: SystemTime,
    ) -> Result<&SecretVersion, ServiceException> {
        if let Some(index) = self.versions.iter().position(|version| version.id == token) {
            return match self.versions[index].value == value {
                true => Ok(&self.versions[index]),
                false => Err(errors::token_taken(token, &self.arn)),
            };
        }
        let mut labels = labels.unwrap_or_else(|| vec![CURRENT.to_owned()]);
        // The first version is current, whatever the request says.
        if self.versions.is_empty() && !labels.iter().any(|label| label == CURRENT) {
            labels.push(CURRENT.to_owned());
        }
        self.take_labels(&labels);
        let id = token.to_owned();
        self.versions.push(SecretVersion { id, value, labels, created: now });
        self.forget_unlabelled();
        self.changed = now;
        Ok(self.versions.last().expect("a version was added"))
    }

    /// Takes labels off the versions that have them. The version that was current becomes the previous
    /// one.
    fn take_labels(&mut self, labels: &[String]) {
        if labels.iter().any(|label| label == CURRENT) {
            let current = self.versions.iter().position(|version| version.has_label(CURRENT));
            if let Some(current) = current {
                for version in &mut self.versions {
                    version.labels.retain(|own| own != PREVIOUS);
                }
                self.versions[current].labels.push(PREVIOUS.to_owned());
            }
        }
        for version in &mut self.versions {
            version.labels.retain(|own| !labels.contains(own));
        }
    }

    fn forget_unlabelled(&mut self) {
        let unlabelled = self.versions.iter().filter(|version| version.labels.is_empty()).count();
        let mut too_many = unlabelled.saturating_sub(MAX_UNLABELLED);
        self.versions.retain(|version| {
            let forget = too_many > 0 && version.labels.is_empty();
            too_many -= usize::from(forget);
            !forget
        });
    }

    /// The members that `DescribeSecret` and `ListSecrets` share.
    pub fn described(&self) -> Value {
        let tags = self.tags.to_vec();
        without_nulls(json!({
            "ARN": self.arn,
            "Name": self.name,
            "Description": self.description,
            "KmsKeyId": self.kms_key_id,
            "CreatedDate": epoch_seconds(self.created),
            "LastChangedDate": epoch_seconds(self.changed),
            "LastAccessedDate": self.accessed.map(whole_day),
            "DeletedDate": self.deletion.map(epoch_seconds),
            "Tags": (!tags.is_empty()).then(|| tags.write()),
        }))
    }

    /// The labels of each version that has one.
    pub fn labels(&self) -> Value {
        let labelled = self.versions.iter().filter(|version| !version.labels.is_empty());
        let pairs = labelled.map(|version| (version.id.clone(), json!(version.labels)));
        Value::Object(pairs.collect())
    }
}

/// Secrets Manager tells the day of the last access only.
fn whole_day(time: SystemTime) -> f64 {
    const DAY: f64 = 86_400.0;
    (epoch_seconds(time) / DAY).floor() * DAY
}
