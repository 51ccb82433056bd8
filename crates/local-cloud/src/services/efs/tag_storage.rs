//! `TagResource`, and how an id or ARN finds the tags of its resource.

use serde_json::Value;

use super::errors;
use super::storage_id::StorageKind;
use super::storage_tags::{StorageTag, StorageTags};
use super::store::{RegionStorage, StorageStore};
use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::wire::exception::ServiceException;
use crate::wire::member::shapes;

shapes! {
    TagStorage {
        resource_id: String = "ResourceId",
        tags: Vec<StorageTag> = "Tags",
    }
}

impl JsonRequest for TagStorage {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        let right = "elasticfilesystem:TagResource";
        StorageStore::with(context, |storage, _| {
            let tags = tags_of(storage, context, right, self.resource_id.as_ref())?;
            *tags = tags.clone().with(self.tags.clone())?;
            Ok(Value::Null)
        })
    }
}

/// The tags of a file system or an access point, to read or change them, if the caller has the right for it.
pub fn tags_of<'a>(
    storage: &'a mut RegionStorage,
    context: &RequestContext<'_>,
    right: &str,
    given: Option<&String>,
) -> Result<&'a mut StorageTags, ServiceException> {
    let given = given.map(String::as_str).unwrap_or_default();
    if let Some(id) = StorageKind::FileSystem.id_in(context.region, given) {
        return storage.file_system(context, right, &id).map(|found| &mut found.tags);
    }
    if let Some(id) = StorageKind::AccessPoint.id_in(context.region, given) {
        return storage.access_point(context, right, &id).map(|found| &mut found.tags);
    }
    Err(errors::bad_request(format!(
        "invalid ResourceId '{given}': it must be the id or the ARN of a file system or an access point."
    )))
}
