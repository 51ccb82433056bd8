//! `DescribeAccessPoints`: one by id, those of a file system, or all of them.

use serde_json::json;

use super::errors;
use super::storage_id::StorageKind;
use super::storage_page::{StoragePage, storage_page};
use super::store::StorageStore;
use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::wire::member::{shapes, without_nulls};

const RIGHT: &str = "elasticfilesystem:DescribeAccessPoints";

shapes! {
    DescribeAccessPoints {
        max_results: i32 = "MaxResults",
        next_token: String = "NextToken",
        access_point_id: String = "AccessPointId",
        file_system_id: String = "FileSystemId",
    }
}

impl JsonRequest for DescribeAccessPoints {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        let region = context.region;
        StorageStore::with(context, |storage, _| {
            let file_system = match (&self.access_point_id, &self.file_system_id) {
                (Some(_), Some(_)) => {
                    return Err(errors::bad_request(
                        "AccessPointId and FileSystemId exclude each other.",
                    ));
                }
                (Some(given), None) => {
                    let kind = StorageKind::AccessPoint;
                    let id = kind.required(region, Some(given), "AccessPointId")?;
                    let view = storage.access_point(context, RIGHT, &id)?.view(context.now);
                    return Ok(json!({ "AccessPoints": [view] }));
                }
                (None, Some(given)) => {
                    let kind = StorageKind::FileSystem;
                    let id = kind.required(region, Some(given), "FileSystemId")?;
                    storage.file_system(context, RIGHT, &id)?;
                    Some(id)
                }
                (None, None) => {
                    context.allowed(RIGHT, Some("*"))?;
                    None
                }
            };
            let shown = storage.access_points.iter();
            let shown =
                shown.filter(|o| file_system.as_ref().is_none_or(|id| o.file_system == *id));
            let ids = shown.map(|one| one.id.clone()).collect();
            let token = self.next_token.as_deref();
            let StoragePage { ids, next } =
                storage_page(ids, self.max_results, token, "MaxResults", "NextToken")?;
            let views = storage.access_points.iter().filter(|one| ids.contains(&one.id));
            let views: Vec<_> = views.map(|one| one.view(context.now)).collect();
            Ok(without_nulls(json!({ "AccessPoints": views, "NextToken": next })))
        })
    }
}
