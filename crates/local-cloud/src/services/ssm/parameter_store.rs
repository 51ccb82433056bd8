//! The parameters of one cloud, by Region and name.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::errors;
use super::parameter_reference::{ParameterReference, arn};
use super::stored_parameter::StoredParameter;
use crate::services::context::RequestContext;
use crate::wire::exception::ServiceException;

/// The parameters of one Region, by name.
pub type RegionParameters = BTreeMap<String, StoredParameter>;

/// All parameters.
#[derive(Default)]
pub(crate) struct ParameterStore(Mutex<BTreeMap<String, RegionParameters>>);

impl ParameterStore {
    /// Reads or changes the parameters of the request's Region, under the lock.
    pub fn with<T>(
        context: &RequestContext<'_>,
        change: impl FnOnce(&mut RegionParameters) -> T,
    ) -> T {
        let store = context.cloud.states.of::<Self>();
        let mut regions = store.0.lock().expect("no one panics while holding the parameters");
        change(regions.entry(context.region.to_owned()).or_default())
    }

    /// Reads one parameter, if the caller has the right `right` for it.
    pub fn read<T>(
        context: &RequestContext<'_>,
        right: &str,
        reference: &ParameterReference,
        read: impl FnOnce(&StoredParameter) -> Result<T, ServiceException>,
    ) -> Result<T, ServiceException> {
        // As AWS does, the right is checked before it is said whether the parameter exists.
        let name = reference.names.first().map(String::as_str).unwrap_or_default();
        context.allowed(right, Some(&arn(context.region, name)))?;
        Self::with(context, |parameters| {
            let found = reference.names.iter().find_map(|name| parameters.get(name));
            read(found.ok_or_else(|| errors::no_parameter(name))?)
        })
    }
}
