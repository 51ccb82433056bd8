//! `DeleteFileSystemPolicy`: from then on everybody who reaches a mount target may do everything.

use serde_json::Value;

use super::storage_id::StorageKind;
use super::store::StorageStore;
use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::wire::member::shapes;

shapes! {
    DeleteFileSystemPolicy {
        file_system_id: String = "FileSystemId",
    }
}

impl JsonRequest for DeleteFileSystemPolicy {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        let given = self.file_system_id.as_ref();
        let id = StorageKind::FileSystem.required(context.region, given, "FileSystemId")?;
        StorageStore::with(context, |storage, _| {
            let right = "elasticfilesystem:DeleteFileSystemPolicy";
            storage.available_file_system(context, right, &id)?.policy = None;
            Ok(Value::Null)
        })
    }
}
