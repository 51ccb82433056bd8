//! The calls that a plan makes, as JSON that a person can read, change and make by other means.
//!
//! It makes none of them. The ARN of an access point that is still to be made is not known yet, so a
//! sentence stands in its place.

use serde_json::{Value, json};

use crate::storage_plan::{FileSystemPlan, StorageStep};

/// The calls of a plan in their order: the operation of EFS and its parameters.
#[must_use]
pub fn calls(plan: &FileSystemPlan) -> Vec<Value> {
    plan.steps.iter().filter_map(|step| call(&plan.file_system, step)).collect()
}

fn call(file_system: &str, step: &StorageStep) -> Option<Value> {
    let (operation, parameters) = match step {
        StorageStep::AwaitAccessPoint(_) | StorageStep::AwaitMountTarget { .. } => return None,
        StorageStep::MakeAccessPoint(point) => {
            let new = point.to_make();
            let (uid, gid) = new.shape.user.unwrap_or_default();
            let tags = new.shape.tags.iter();
            let tags: Vec<Value> =
                tags.map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
            let owner = json!({ "OwnerUid": uid, "OwnerGid": gid, "Permissions": new.mode });
            let parameters = json!({
                "ClientToken": new.client_token,
                "FileSystemId": file_system,
                "PosixUser": { "Uid": uid, "Gid": gid },
                "RootDirectory": { "Path": new.shape.root, "CreationInfo": owner },
                "Tags": tags,
            });
            ("CreateAccessPoint", parameters)
        }
        StorageStep::PutPolicy { policy, .. } => {
            ("PutFileSystemPolicy", json!({ "FileSystemId": file_system, "Policy": policy }))
        }
        StorageStep::MakeMountTarget { place, groups } => {
            let mut parameters = json!({ "FileSystemId": file_system, "SubnetId": place.subnet });
            if !groups.is_empty() {
                parameters["SecurityGroups"] = json!(groups);
            }
            ("CreateMountTarget", parameters)
        }
    };
    Some(json!({ "operation": operation, "parameters": parameters }))
}
