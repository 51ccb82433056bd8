//! `ModifyMountTargetSecurityGroups`. Groups have no rules here, so they keep nobody out.

use serde_json::Value;

use super::create_mount_target::security_groups;
use super::errors;
use super::storage_id::StorageKind;
use super::store::StorageStore;
use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::services::ec2::network::RegionNetwork;
use crate::wire::member::shapes;

const RIGHT: &str = "elasticfilesystem:ModifyMountTargetSecurityGroups";

shapes! {
    ModifyMountTargetSecurityGroups {
        mount_target_id: String = "MountTargetId",
        security_groups: Vec<String> = "SecurityGroups",
    }
}

impl JsonRequest for ModifyMountTargetSecurityGroups {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        let given = self.mount_target_id.as_ref();
        let id = StorageKind::MountTarget.required(context.region, given, "MountTargetId")?;
        StorageStore::with(context, |storage, _| {
            let target = storage.mount_target(context, RIGHT, &id)?;
            let state = target.life_cycle.state(context.now);
            if state != "available" {
                return Err(errors::mount_target_state(&id, state));
            }
            let network = context.cloud.states.of::<RegionNetwork>();
            target.security_groups = security_groups(network, self.security_groups.clone())?;
            Ok(Value::Null)
        })
    }
}
