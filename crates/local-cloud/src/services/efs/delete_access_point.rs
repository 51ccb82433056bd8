//! `DeleteAccessPoint`. The files stay. A task that has it mounted keeps it here; on EFS its access ends.

use serde_json::Value;

use super::storage_id::StorageKind;
use super::store::StorageStore;
use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::wire::member::shapes;

shapes! {
    DeleteAccessPoint {
        access_point_id: String = "AccessPointId",
    }
}

impl JsonRequest for DeleteAccessPoint {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        let given = self.access_point_id.as_ref();
        let id = StorageKind::AccessPoint.required(context.region, given, "AccessPointId")?;
        StorageStore::with(context, |storage, timing| {
            let point =
                storage.access_point(context, "elasticfilesystem:DeleteAccessPoint", &id)?;
            point.life_cycle.delete(context.now, timing.deletion);
            Ok(Value::Null)
        })
    }
}
