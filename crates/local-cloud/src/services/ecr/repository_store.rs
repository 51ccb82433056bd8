//! The repositories of one cloud, by Region and name.

use std::collections::BTreeMap;
use std::sync::Mutex;

use fargate_model::region::AwsPartition;

use super::errors;
use super::image_repository::RegistryRepository;
use crate::account::ACCOUNT;
use crate::services::context::RequestContext;
use crate::wire::exception::ServiceException;

/// The repositories of one Region, by name.
pub type RegionRepositories = BTreeMap<String, RegistryRepository>;

/// All repositories.
#[derive(Default)]
pub(crate) struct RepositoryStore(Mutex<BTreeMap<String, RegionRepositories>>);

impl RepositoryStore {
    /// Reads or changes the repositories of the request's Region, under the lock.
    pub fn with<T>(
        context: &RequestContext<'_>,
        change: impl FnOnce(&mut RegionRepositories) -> T,
    ) -> T {
        let store = context.cloud.states.of::<Self>();
        let mut regions = store.0.lock().expect("no one panics while holding the repositories");
        change(regions.entry(context.region.to_owned()).or_default())
    }

    /// Reads or changes one repository, if the caller has the right `right` for it.
    pub fn with_repository<T>(
        context: &RequestContext<'_>,
        right: &str,
        (registry, name): (Option<&String>, Option<&String>),
        change: impl FnOnce(&mut RegistryRepository) -> Result<T, ServiceException>,
    ) -> Result<T, ServiceException> {
        let name = checked_name(name)?;
        context.allowed(right, Some(&arn(context.region, name)))?;
        Self::with(context, |repositories| {
            let is_own = registry.is_none_or(|registry| registry == ACCOUNT);
            let found = repositories.get_mut(name).filter(|_| is_own);
            change(found.ok_or_else(|| errors::no_repository(name))?)
        })
    }
}

/// The name, if a repository can have it.
pub fn checked_name(name: Option<&String>) -> Result<&String, ServiceException> {
    let is_good = |name: &&String| {
        let allowed = |b: u8| {
            b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.' | b'/')
        };
        (2..=256).contains(&name.len()) && name.bytes().all(allowed)
    };
    let rule = "must satisfy regular expression \
                '(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*'";
    name.filter(is_good).ok_or_else(|| errors::parameter("repositoryName", rule))
}

/// The ARN of a repository.
pub fn arn(region: &str, name: &str) -> String {
    format!("arn:{}:ecr:{region}:{ACCOUNT}:repository/{name}", AwsPartition::of(region).name())
}
