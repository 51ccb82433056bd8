//! `DeleteFileSystem`: the files go at once, the resource when its state ends.

use serde_json::Value;

use super::errors;
use super::storage_id::StorageKind;
use super::store::StorageStore;
use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::wire::member::shapes;

shapes! {
    DeleteFileSystem {
        file_system_id: String = "FileSystemId",
    }
}

impl JsonRequest for DeleteFileSystem {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        let given = self.file_system_id.as_ref();
        let id = StorageKind::FileSystem.required(context.region, given, "FileSystemId")?;
        StorageStore::with(context, |storage, timing| {
            let mount_targets = storage.count_mount_targets(&id);
            let right = "elasticfilesystem:DeleteFileSystem";
            let file_system = storage.file_system(context, right, &id)?;
            if mount_targets > 0 {
                return Err(errors::file_system_in_use(&id));
            }
            file_system.life_cycle.delete(context.now, timing.deletion);
            context.cloud.backend.delete_file_system(&id);
            Ok(Value::Null)
        })
    }
}
