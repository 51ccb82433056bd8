//! `DescribeMountTargets`: one by id, or those of a file system or of an access point's file system.

use serde_json::json;

use super::errors;
use super::storage_id::StorageKind;
use super::storage_page::{StoragePage, storage_page};
use super::store::{RegionStorage, StorageStore};
use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::wire::exception::ServiceException;
use crate::wire::member::{shapes, without_nulls};

const RIGHT: &str = "elasticfilesystem:DescribeMountTargets";

shapes! {
    DescribeMountTargets {
        max_items: i32 = "MaxItems",
        marker: String = "Marker",
        file_system_id: String = "FileSystemId",
        mount_target_id: String = "MountTargetId",
        access_point_id: String = "AccessPointId",
    }
}

impl JsonRequest for DescribeMountTargets {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        StorageStore::with(context, |storage, _| {
            let ids = self.asked(storage, context)?;
            let marker = self.marker.as_deref();
            let StoragePage { ids, next } =
                storage_page(ids, self.max_items, marker, "MaxItems", "Marker")?;
            let views = storage.mount_targets.iter().filter(|one| ids.contains(&one.id));
            let views: Vec<_> = views.map(|one| one.view(context.now)).collect();
            Ok(without_nulls(json!({
                "Marker": self.marker,
                "MountTargets": views,
                "NextMarker": next,
            })))
        })
    }
}

impl DescribeMountTargets {
    fn asked(
        &self,
        storage: &mut RegionStorage,
        context: &RequestContext<'_>,
    ) -> Result<Vec<String>, ServiceException> {
        let region = context.region;
        let file_system = match (&self.mount_target_id, &self.file_system_id, &self.access_point_id)
        {
            (Some(given), None, None) => {
                let kind = StorageKind::MountTarget;
                let id = kind.required(region, Some(given), "MountTargetId")?;
                return Ok(vec![storage.mount_target(context, RIGHT, &id)?.id.clone()]);
            }
            (None, Some(given), None) => {
                let kind = StorageKind::FileSystem;
                let id = kind.required(region, Some(given), "FileSystemId")?;
                storage.file_system(context, RIGHT, &id)?.id.clone()
            }
            (None, None, Some(given)) => {
                let kind = StorageKind::AccessPoint;
                let id = kind.required(region, Some(given), "AccessPointId")?;
                storage.access_point(context, RIGHT, &id)?.file_system.clone()
            }
            _ => {
                return Err(errors::bad_request(
                    "Give exactly one of FileSystemId, MountTargetId and AccessPointId.",
                ));
            }
        };
        let targets = storage.mount_targets.iter().filter(|one| one.file_system == file_system);
        Ok(targets.map(|one| one.id.clone()).collect())
    }
}
