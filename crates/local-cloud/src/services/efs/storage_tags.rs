//! The tags of a file system or an access point.
//!
//! Source: Amazon EFS API Reference, `Tag` and `TagResource`.

use super::errors::bad_request;
use crate::wire::exception::ServiceException;
use crate::wire::member::shapes;

/// Tags of one resource.
const MAX_TAGS: usize = 50;
/// Characters of a key.
const MAX_KEY: usize = 128;
/// Characters of a value.
const MAX_VALUE: usize = 256;

shapes! {
    StorageTag {
        key: String = "Key",
        value: String = "Value",
    }
}

/// The tags of one resource, in the order in which they came.
#[derive(Clone, Debug, Default)]
pub struct StorageTags(Vec<StorageTag>);

impl StorageTags {
    /// Adds tags, or changes those with the same key.
    pub fn with(mut self, given: Option<Vec<StorageTag>>) -> Result<Self, ServiceException> {
        for tag in given.unwrap_or_default() {
            check(&tag)?;
            match self.0.iter_mut().find(|other| other.key == tag.key) {
                Some(other) => *other = tag,
                None => self.0.push(tag),
            }
        }
        if self.0.len() > MAX_TAGS {
            return Err(bad_request(format!("A resource can have at most {MAX_TAGS} tags.")));
        }
        Ok(self)
    }

    /// Removes tags. A key that the resource does not have is ignored.
    pub fn remove(&mut self, keys: &[String]) {
        self.0.retain(|tag| !tag.key.as_ref().is_some_and(|key| keys.contains(key)));
    }

    pub fn to_vec(&self) -> Vec<StorageTag> {
        self.0.clone()
    }

    pub fn value(&self, key: &str) -> Option<&str> {
        let found = self.0.iter().find(|tag| tag.key.as_deref() == Some(key))?;
        found.value.as_deref()
    }

    /// The value of the tag `Name`, which answers show as a member of their own.
    pub fn name(&self) -> Option<&str> {
        self.value("Name")
    }
}

fn check(tag: &StorageTag) -> Result<(), ServiceException> {
    let key = tag.key.as_deref().unwrap_or_default();
    let value = tag.value.as_deref().ok_or_else(|| {
        bad_request(format!("The tag '{key}' has no value; an empty one is allowed."))
    })?;
    if !(1..=MAX_KEY).contains(&key.chars().count()) {
        return Err(bad_request(format!("A tag's key has 1 to {MAX_KEY} characters.")));
    }
    if value.chars().count() > MAX_VALUE {
        return Err(bad_request(format!("A tag's value has at most {MAX_VALUE} characters.")));
    }
    if key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:")) {
        return Err(bad_request("The key of a tag may not begin with aws:"));
    }
    let allowed = |c: char| {
        c.is_alphanumeric() || c.is_whitespace() && !c.is_control() || "_.:/=+-@".contains(c)
    };
    match key.chars().chain(value.chars()).find(|&c| !allowed(c)) {
        Some(wrong) => Err(bad_request(format!(
            "A tag may not contain {wrong:?}; letters, numbers, spaces and _ . : / = + - @ are \
             allowed."
        ))),
        None => Ok(()),
    }
}
