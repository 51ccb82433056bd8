//! `DescribeMountTargetSecurityGroups`.

use serde_json::json;

use super::errors;
use super::storage_id::StorageKind;
use super::store::StorageStore;
use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::wire::member::shapes;

const RIGHT: &str = "elasticfilesystem:DescribeMountTargetSecurityGroups";

shapes! {
    DescribeMountTargetSecurityGroups {
        mount_target_id: String = "MountTargetId",
    }
}

impl JsonRequest for DescribeMountTargetSecurityGroups {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        let given = self.mount_target_id.as_ref();
        let id = StorageKind::MountTarget.required(context.region, given, "MountTargetId")?;
        StorageStore::with(context, |storage, _| {
            let target = storage.mount_target(context, RIGHT, &id)?;
            match target.life_cycle.state(context.now) {
                "available" => Ok(json!({ "SecurityGroups": target.security_groups })),
                state => Err(errors::mount_target_state(&id, state)),
            }
        })
    }
}
