//! How `Describe` operations of EC2 choose resources: by ids, and by filters.
//!
//! An answer has one page. A filter that this cloud does not know is refused, so that nobody takes an answer
//! for a filtered one.
//!
//! Source, for members, filters and errors: Amazon EC2 API Reference, version 2016-11-15.

use crate::network::CloudNetwork;
use crate::services::context::RequestContext;
use crate::services::ec2::network::RegionNetwork;
use crate::wire::exception::ServiceException;
use crate::wire::form::{FormFields, list};
use crate::wire::xml::XmlElement;

/// A resource that an operation describes.
pub(super) trait DescribedResource: Clone {
    /// The member of a request with the ids.
    const IDS: &'static str;
    /// The element of an answer around all resources.
    const SET: &'static str;
    /// Every resource of this kind.
    fn all(network: &CloudNetwork) -> &[Self];
    fn id(&self) -> &str;
    /// The values by which filters find it. A filter may have several.
    fn filter_values(&self, region: &str) -> Vec<(&'static str, String)>;
    /// The element that describes it.
    fn item(&self, context: &RequestContext<'_>) -> XmlElement;
    /// The error that an id is unknown.
    fn unknown(id: &str) -> ServiceException;
    /// The filters that it knows.
    const FILTERS: &'static [&'static str];
}

/// One filter of a request.
struct ResourceFilter {
    name: String,
    values: Vec<String>,
}

/// Does a `Describe` operation.
pub(super) fn describe<T: DescribedResource>(
    members: &FormFields,
    context: &RequestContext<'_>,
) -> Result<Vec<XmlElement>, ServiceException> {
    let all = T::all(&context.cloud.states.of::<RegionNetwork>().described()).to_vec();
    let ids = list(members, T::IDS);
    if let Some(unknown) = ids.iter().find(|id| !all.iter().any(|one| one.id() == *id)) {
        return Err(T::unknown(unknown));
    }
    let filters = filters(members, T::FILTERS)?;
    let found = all.iter().filter(|one| ids.is_empty() || ids.iter().any(|id| id == one.id()));
    let found = found.filter(|one| {
        let values = one.filter_values(context.region);
        filters.iter().all(|filter| filter.fits(&values))
    });
    Ok(vec![XmlElement::new(T::SET).with_all(found.map(|one| one.item(context)))])
}

impl ResourceFilter {
    fn fits(&self, facts: &[(&'static str, String)]) -> bool {
        facts.iter().any(|(name, value)| *name == self.name && self.values.contains(value))
    }
}

fn filters(members: &FormFields, known: &[&str]) -> Result<Vec<ResourceFilter>, ServiceException> {
    let mut filters = Vec::new();
    for number in 1.. {
        let Some(name) = members.get(&format!("Filter.{number}.Name")) else { break };
        if !known.contains(&name.as_str()) {
            return Err(ServiceException::new(
                "InvalidParameterValue",
                format!("The filter '{name}' is invalid"),
            ));
        }
        let values = list(members, &format!("Filter.{number}.Value"));
        filters.push(ResourceFilter { name: name.clone(), values });
    }
    Ok(filters)
}

/// An element with a text for `true` or `false`.
pub(super) fn flag(name: &str, value: bool) -> XmlElement {
    XmlElement::text(name, value.to_string())
}

/// The error that an id of this kind is unknown, in the usual words.
pub(super) fn not_found(code: &str, kind: &str, id: &str) -> ServiceException {
    ServiceException::new(code, format!("The {kind} ID '{id}' does not exist"))
}
