//! The secrets of one cloud, by Region: finds one by name or ARN, and forgets those whose recovery window is
//! over.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};
use std::time::SystemTime;

use fargate_model::region::AwsPartition;

use super::errors;
use super::stored_secret::StoredSecret;
use crate::access::access_question::AccessQuestion;
use crate::account::ACCOUNT;
use crate::services::context::RequestContext;
use crate::wire::exception::ServiceException;

/// All secrets.
#[derive(Default)]
pub(crate) struct SecretStore(Mutex<BTreeMap<String, RegionSecrets>>);

/// The secrets of one Region, by name.
#[derive(Default)]
pub struct RegionSecrets(BTreeMap<String, StoredSecret>);

impl SecretStore {
    /// Reads or changes the secrets of the request's Region, under the lock.
    pub fn with<T>(
        context: &RequestContext<'_>,
        change: impl FnOnce(&mut RegionSecrets) -> T,
    ) -> T {
        let mut regions = context.cloud.states.of::<Self>().lock();
        let secrets = regions.entry(context.region.to_owned()).or_default();
        secrets.forget_deleted(context.now);
        change(secrets)
    }

    /// Reads or changes one secret, if the caller has the right `right` for it. `reference` is its name or
    /// its ARN.
    pub fn with_secret<T>(
        context: &RequestContext<'_>,
        right: &str,
        reference: &str,
        change: impl FnOnce(&mut StoredSecret) -> Result<T, ServiceException>,
    ) -> Result<T, ServiceException> {
        Self::with(context, |secrets| {
            let secret = secrets.find(&arn_prefix(context.region), reference);
            // As AWS does, the right is checked before it is said whether the secret exists.
            // The end of an ARN is drawn when a secret is made, so a secret that is not there has none.
            let (resource, named) = match &secret {
                Some(secret) => (secret.arn.clone(), secret.arn.as_str()),
                None if reference.starts_with("arn:") => (reference.to_owned(), reference),
                None => (format!("{}{reference}", arn_prefix(context.region)), reference),
            };
            context.may(&AccessQuestion::new(right, resource), Some(named))?;
            change(secret.ok_or_else(errors::no_secret)?)
        })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, RegionSecrets>> {
        self.0.lock().expect("no one panics while holding the secrets")
    }
}

impl RegionSecrets {
    pub fn by_name(&self, name: &str) -> Option<&StoredSecret> {
        self.0.get(name)
    }

    pub fn add(&mut self, secret: StoredSecret) {
        self.0.insert(secret.name.clone(), secret);
    }

    pub fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    pub fn all(&self) -> impl Iterator<Item = &StoredSecret> {
        self.0.values()
    }

    /// Finds a secret by its name, by its ARN, or by its ARN without the six characters at the end.
    pub fn find(&mut self, arn_prefix: &str, reference: &str) -> Option<&mut StoredSecret> {
        if let Some(name) = reference.strip_prefix(arn_prefix) {
            let is_it = |secret: &&mut StoredSecret| secret.arn == reference || secret.name == name;
            return self.0.values_mut().find(is_it);
        }
        self.0.get_mut(reference)
    }

    fn forget_deleted(&mut self, now: SystemTime) {
        self.0.retain(|_, secret| secret.deletion.is_none_or(|gone| gone > now));
    }
}

/// What stands before the name in the ARN of a secret of this Region.
pub fn arn_prefix(region: &str) -> String {
    format!("arn:{}:secretsmanager:{region}:{ACCOUNT}:secret:", AwsPartition::of(region).name())
}
