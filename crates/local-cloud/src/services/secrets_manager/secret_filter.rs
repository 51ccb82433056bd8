//! The filters of `ListSecrets`.
//!
//! Source: AWS Secrets Manager API Reference, `Filter`.

use super::stored_secret::StoredSecret;
use crate::wire::exception::ServiceException;
use crate::wire::member::shapes;

shapes! {
    SecretFilter {
        key: String = "Key",
        values: Vec<String> = "Values",
    }
}

impl SecretFilter {
    /// Refuses a key that does not exist, or that this cloud does not play.
    pub fn check(&self) -> Result<(), ServiceException> {
        let known = ["description", "name", "tag-key", "tag-value", "all"];
        let key = self.key.as_deref().unwrap_or_default();
        if known.contains(&key) && self.values.as_ref().is_some_and(|values| !values.is_empty()) {
            return Ok(());
        }
        Err(ServiceException::parameter(format!(
            "Invalid filter {key:?}: a filter has values and one of these keys: {}",
            known.join(", ")
        )))
    }

    /// Whether one of the values fits. A value with `!` in front must not fit.
    pub fn fits(&self, secret: &StoredSecret) -> bool {
        let key = self.key.as_deref().unwrap_or_default();
        self.values.iter().flatten().any(|value| match value.strip_prefix('!') {
            Some(unwanted) => !begins(secret, key, unwanted),
            None => begins(secret, key, value),
        })
    }
}

/// Whether what the key names begins like this. Only names are compared letter by letter.
fn begins(secret: &StoredSecret, key: &str, start: &str) -> bool {
    let loosely = |text: &str| text.to_lowercase().starts_with(&start.to_lowercase());
    let in_description = || secret.description.as_deref().is_some_and(loosely);
    match key {
        "name" => secret.name.starts_with(start),
        "description" => in_description(),
        "tag-key" => secret.tags.keys().any(|key| key.starts_with(start)),
        "tag-value" => secret.tags.values().any(|value| value.starts_with(start)),
        _ => {
            loosely(&secret.name)
                || in_description()
                || secret.tags.keys().any(loosely)
                || secret.tags.values().any(loosely)
        }
    }
}
