//! `ListTagsForResource`.

use serde_json::json;

use super::storage_page::{StoragePage, storage_page};
use super::store::StorageStore;
use super::tag_storage::tags_of;
use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::wire::member::{ShapeMember, shapes, without_nulls};

shapes! {
    ListStorageTags {
        resource_id: String = "ResourceId",
        max_results: i32 = "MaxResults",
        next_token: String = "NextToken",
    }
}

impl JsonRequest for ListStorageTags {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        let right = "elasticfilesystem:ListTagsForResource";
        StorageStore::with(context, |storage, _| {
            let tags = tags_of(storage, context, right, self.resource_id.as_ref())?.to_vec();
            let keys = tags.iter().filter_map(|tag| tag.key.clone()).collect();
            let token = self.next_token.as_deref();
            let StoragePage { ids, next } =
                storage_page(keys, self.max_results, token, "MaxResults", "NextToken")?;
            let shown: Vec<_> = tags
                .into_iter()
                .filter(|tag| tag.key.as_ref().is_some_and(|key| ids.contains(key)))
                .collect();
            Ok(without_nulls(json!({ "Tags": shown.write(), "NextToken": next })))
        })
    }
}
