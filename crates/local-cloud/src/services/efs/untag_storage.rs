//! `UntagResource`.

use serde_json::Value;

use super::errors;
use super::store::StorageStore;
use super::tag_storage::tags_of;
use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::wire::member::shapes;

shapes! {
    UntagStorage {
        resource_id: String = "ResourceId",
        tag_keys: Vec<String> = "TagKeys",
    }
}

impl JsonRequest for UntagStorage {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        let keys = self.tag_keys.clone().unwrap_or_default();
        if keys.is_empty() {
            return Err(errors::bad_request("TagKeys is missing."));
        }
        let right = "elasticfilesystem:UntagResource";
        StorageStore::with(context, |storage, _| {
            tags_of(storage, context, right, self.resource_id.as_ref())?.remove(&keys);
            Ok(Value::Null)
        })
    }
}
