//! The tags of a secret.
//!
//! Source: AWS Secrets Manager API Reference, `Tag` and `TagResource`.

use super::errors::validation;
use crate::wire::exception::ServiceException;
use crate::wire::member::shapes;

/// Tags of one secret.
const MAX_TAGS: usize = 50;
/// Characters of a key.
const MAX_KEY: usize = 128;
/// Characters of a value.
const MAX_VALUE: usize = 256;

shapes! {
    SecretTag {
        key: String = "Key",
        value: String = "Value",
    }
}

/// The tags of one secret, in the order in which they came.
#[derive(Clone, Debug, Default)]
pub struct SecretTags(Vec<SecretTag>);

impl SecretTags {
    /// Adds tags, or changes those with the same key.
    pub fn with(mut self, given: Option<Vec<SecretTag>>) -> Result<Self, ServiceException> {
        for tag in given.unwrap_or_default() {
            check(&tag)?;
            match self.0.iter_mut().find(|other| other.key == tag.key) {
                Some(other) => *other = tag,
                None => self.0.push(tag),
            }
        }
        if self.0.len() > MAX_TAGS {
            return Err(ServiceException::parameter(format!(
                "A secret can have at most {MAX_TAGS} tags."
            )));
        }
        Ok(self)
    }

    pub fn to_vec(&self) -> Vec<SecretTag> {
        self.0.clone()
    }

    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|tag| tag.key.as_deref())
    }

    pub fn values(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|tag| tag.value.as_deref())
    }
}

fn check(tag: &SecretTag) -> Result<(), ServiceException> {
    let count = |text: &Option<String>| text.as_deref().unwrap_or_default().chars().count();
    if !(1..=MAX_KEY).contains(&count(&tag.key)) {
        return Err(validation("tags.member.key", "have length between 1 and 128"));
    }
    if count(&tag.value) > MAX_VALUE {
        return Err(validation("tags.member.value", "have length less than or equal to 256"));
    }
    Ok(())
}
