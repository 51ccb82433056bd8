//! The tags of resources, and what a tag may contain.
//!
//! Source: Amazon ECS API Reference, `Tag`, and `TagResource`.

use crate::services::ecs::shape::common::Tag;
use crate::wire::exception::ServiceException;

/// Tags of one resource, service tags not counted.
const MAX_TAGS: usize = 50;
/// Characters of a key.
const MAX_KEY: usize = 128;
/// Characters of a value.
const MAX_VALUE: usize = 256;

/// The tags of one resource, in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResourceTags(Vec<Tag>);

impl ResourceTags {
    /// Checks the tags of a request.
    pub fn checked(given: Option<Vec<Tag>>) -> Result<Self, ServiceException> {
        let mut tags = Self::default();
        for tag in given.unwrap_or_default() {
            let key = check(&tag)?.to_owned();
            if tags.0.iter().any(|other| other.key.as_ref() == Some(&key)) {
                return Err(ServiceException::parameter("Duplicate tag keys found."));
            }
            tags.0.push(tag);
        }
        tags.count_checked()
    }

    /// Adds tags, or changes those with the same key.
    pub fn with(mut self, given: Option<Vec<Tag>>) -> Result<Self, ServiceException> {
        for tag in Self::checked(given)?.0 {
            match self.0.iter_mut().find(|other| other.key == tag.key) {
                Some(other) => *other = tag,
                None => self.0.push(tag),
            }
        }
        self.count_checked()
    }

    /// Adds the tag that ECS itself sets.
    pub fn with_managed(mut self, key: &str, value: &str) -> Self {
        self.0.push(Tag { key: Some(key.to_owned()), value: Some(value.to_owned()) });
        self
    }

    /// Removes tags. A key that the resource does not have is ignored.
    pub fn remove(&mut self, keys: &[String]) {
        self.0.retain(|tag| !tag.key.as_ref().is_some_and(|key| keys.contains(key)));
    }

    pub fn to_vec(&self) -> Vec<Tag> {
        self.0.clone()
    }

    pub fn pairs(&self) -> impl Iterator<Item = (String, String)> + '_ {
        self.0
            .iter()
            .map(|tag| (tag.key.clone().unwrap_or_default(), tag.value.clone().unwrap_or_default()))
    }

    fn count_checked(self) -> Result<Self, ServiceException> {
        let own = self.0.iter().filter(|tag| !is_reserved(tag.key.as_deref().unwrap_or_default()));
        if own.count() > MAX_TAGS {
            return Err(ServiceException::parameter(format!(
                "The maximum number of tags per resource is {MAX_TAGS}."
            )));
        }
        Ok(self)
    }
}

fn is_reserved(key: &str) -> bool {
    key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:"))
}

fn check(tag: &Tag) -> Result<&str, ServiceException> {
    let key = tag.key.as_deref().unwrap_or_default();
    let value = tag.value.as_deref().unwrap_or_default();
    if key.is_empty() || key.chars().count() > MAX_KEY {
        return Err(ServiceException::parameter(format!(
            "Tag keys must be between 1 and {MAX_KEY} characters long."
        )));
    }
    if value.chars().count() > MAX_VALUE {
        return Err(ServiceException::parameter(format!(
            "Tag values must be at most {MAX_VALUE} characters long."
        )));
    }
    if is_reserved(key) || is_reserved(value) {
        return Err(ServiceException::parameter("Tag keys and values may not start with aws:"));
    }
    let allowed = |c: char| {
        let blank = c.is_whitespace() && !c.is_control();
        c.is_alphanumeric() || blank || "_.:/=+-@".contains(c)
    };
    if let Some(wrong) = key.chars().chain(value.chars()).find(|&c| !allowed(c)) {
        return Err(ServiceException::parameter(format!(
            "Tag keys and values may not contain {wrong:?}; letters, numbers, spaces and _ . : / \
             = + - @ are allowed."
        )));
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(key: &str, value: &str) -> Tag {
        Tag { key: Some(key.to_owned()), value: Some(value.to_owned()) }
    }

    #[test]
    fn tags_are_limited_in_number_length_and_characters() {
        let many = |n: usize| Some((0..n).map(|i| tag(&format!("k{i}"), "")).collect());
        assert!(ResourceTags::checked(many(50)).is_ok());
        assert!(ResourceTags::checked(many(51)).is_err());
        for (key, value) in [
            ("", "v"),
            (&"k".repeat(129), "v"),
            ("k", &*"v".repeat(257)),
            ("aws:x", "v"),
            ("AWS:x", "v"),
            ("k", "a\nb"),
            ("k", "a|b"),
        ] {
            assert!(
                ResourceTags::checked(Some(vec![tag(key, value)])).is_err(),
                "{key:?}={value:?}"
            );
        }
        for (key, value) in [("fargate-runner:owner", ""), ("é 1", "a+b@c/d=e_f.g-h")] {
            assert!(
                ResourceTags::checked(Some(vec![tag(key, value)])).is_ok(),
                "{key:?}={value:?}"
            );
        }
        assert!(ResourceTags::checked(Some(vec![tag("a", "1"), tag("a", "2")])).is_err());
    }

    #[test]
    fn tags_are_added_changed_and_taken_off() {
        let mut tags = ResourceTags::checked(Some(vec![tag("a", "1")])).expect("tags");
        tags = tags.with(Some(vec![tag("a", "2"), tag("b", "3")])).expect("tags");
        tags.remove(&["b".to_owned(), "c".to_owned()]);
        assert_eq!(tags.to_vec(), [tag("a", "2")]);
    }
}
