//! `DeleteMountTarget`. A task that has the file system mounted keeps it here; on EFS its access ends.

use serde_json::Value;

use super::storage_id::StorageKind;
use super::store::StorageStore;
use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::wire::member::shapes;

shapes! {
    DeleteMountTarget {
        mount_target_id: String = "MountTargetId",
    }
}

impl JsonRequest for DeleteMountTarget {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        let given = self.mount_target_id.as_ref();
        let id = StorageKind::MountTarget.required(context.region, given, "MountTargetId")?;
        StorageStore::with(context, |storage, timing| {
            let target =
                storage.mount_target(context, "elasticfilesystem:DeleteMountTarget", &id)?;
            target.life_cycle.delete(context.now, timing.deletion);
            Ok(Value::Null)
        })
    }
}
