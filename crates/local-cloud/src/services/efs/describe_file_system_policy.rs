//! `DescribeFileSystemPolicy`.

use serde_json::json;

use super::errors;
use super::storage_id::StorageKind;
use super::store::StorageStore;
use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::wire::member::shapes;

shapes! {
    DescribeFileSystemPolicy {
        file_system_id: String = "FileSystemId",
    }
}

impl JsonRequest for DescribeFileSystemPolicy {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        let given = self.file_system_id.as_ref();
        let id = StorageKind::FileSystem.required(context.region, given, "FileSystemId")?;
        StorageStore::with(context, |storage, _| {
            let right = "elasticfilesystem:DescribeFileSystemPolicy";
            let file_system = storage.file_system(context, right, &id)?;
            let policy = file_system.policy.as_ref().ok_or_else(|| errors::no_policy(&id))?;
            Ok(json!({ "FileSystemId": id, "Policy": policy }))
        })
    }
}
