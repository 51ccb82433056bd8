//! `DescribeFileSystems`: one by id or token, or all of them.

use serde_json::json;

use super::errors;
use super::storage_id::StorageKind;
use super::storage_page::{StoragePage, storage_page};
use super::store::StorageStore;
use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::wire::member::{shapes, without_nulls};

const RIGHT: &str = "elasticfilesystem:DescribeFileSystems";

shapes! {
    DescribeFileSystems {
        max_items: i32 = "MaxItems",
        marker: String = "Marker",
        creation_token: String = "CreationToken",
        file_system_id: String = "FileSystemId",
    }
}

impl JsonRequest for DescribeFileSystems {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        if self.file_system_id.is_some() && self.creation_token.is_some() {
            return Err(errors::bad_request("FileSystemId and CreationToken exclude each other."));
        }
        StorageStore::with(context, |storage, _| {
            if let Some(given) = &self.file_system_id {
                let id = StorageKind::FileSystem.required(
                    context.region,
                    Some(given),
                    "FileSystemId",
                )?;
                let view = storage.file_system(context, RIGHT, &id)?.clone();
                let view = view.view(storage.count_mount_targets(&id), context.now);
                return Ok(json!({ "FileSystems": [view] }));
            }
            context.allowed(RIGHT, Some("*"))?;
            let asked = self.creation_token.as_ref();
            let shown = storage.file_systems.iter();
            let shown = shown.filter(|one| asked.is_none_or(|token| one.creation_token == *token));
            let ids = shown.map(|one| one.id.clone()).collect();
            let StoragePage { ids, next } =
                storage_page(ids, self.max_items, self.marker.as_deref(), "MaxItems", "Marker")?;
            let views = storage.file_systems.iter().filter(|one| ids.contains(&one.id));
            let views = views.map(|o| o.view(storage.count_mount_targets(&o.id), context.now));
            Ok(without_nulls(json!({
                "Marker": self.marker,
                "FileSystems": views.collect::<Vec<_>>(),
                "NextMarker": next,
            })))
        })
    }
}
