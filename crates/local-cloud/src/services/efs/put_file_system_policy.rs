//! `PutFileSystemPolicy`.

use serde_json::json;

use super::errors;
use super::file_system_policy::FileSystemPolicy;
use super::storage_id::StorageKind;
use super::store::StorageStore;
use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::wire::member::shapes;

const RIGHT: &str = "elasticfilesystem:PutFileSystemPolicy";

/// Characters of a policy. Source: Amazon EFS API Reference, `PutFileSystemPolicy`.
const MAX_POLICY: usize = 20_000;

shapes! {
    PutFileSystemPolicy {
        file_system_id: String = "FileSystemId",
        policy: String = "Policy",
        bypass_policy_lockout_safety_check: bool = "BypassPolicyLockoutSafetyCheck",
    }
}

impl JsonRequest for PutFileSystemPolicy {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        let given = self.file_system_id.as_ref();
        let id = StorageKind::FileSystem.required(context.region, given, "FileSystemId")?;
        let text = self.policy.clone().filter(|text| !text.is_empty());
        let text = text.ok_or_else(|| errors::bad_request("Policy is missing."))?;
        if text.chars().count() > MAX_POLICY {
            let message = format!("The policy has more than {MAX_POLICY} characters.");
            return Err(errors::invalid_policy(&message));
        }
        StorageStore::with(context, |storage, _| {
            let file_system = storage.available_file_system(context, RIGHT, &id)?;
            let policy = FileSystemPolicy::read(&text, &file_system.arn)
                .map_err(|problem| errors::invalid_policy(&problem.to_string()))?;
            let locks_out = policy.denies_everybody(RIGHT);
            if locks_out && self.bypass_policy_lockout_safety_check != Some(true) {
                return Err(errors::invalid_policy(
                    "The policy would keep you from making another PutFileSystemPolicy request; give \
                     BypassPolicyLockoutSafetyCheck if you want that.",
                ));
            }
            file_system.policy = Some(text.clone());
            Ok(json!({ "FileSystemId": id, "Policy": text }))
        })
    }
}
