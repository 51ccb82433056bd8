//! One access point: a folder of a file system, and as whom everything in it is done.

use std::time::SystemTime;

use serde_json::{Value, json};

use super::storage_life_cycle::StorageLifeCycle;
use super::storage_tags::StorageTags;
use crate::account::ACCOUNT;
use crate::wire::member::{ShapeMember, without_nulls};

/// One access point.
#[derive(Clone, Debug)]
pub struct AccessPoint {
    pub id: String,
    pub arn: String,
    pub client_token: String,
    pub file_system: String,
    /// As whom everything is done; `None` where each process is itself.
    pub user: Option<PosixIdentity>,
    /// Begins with `/`.
    pub path: String,
    /// How the folder is made when it is missing; `None` where it is not made.
    pub creation: Option<FolderCreation>,
    pub life_cycle: StorageLifeCycle,
    pub tags: StorageTags,
}

/// A user and its groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PosixIdentity {
    pub uid: u32,
    pub gid: u32,
    pub secondary_gids: Option<Vec<u32>>,
}

/// Owner and mode of a folder that EFS makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderCreation {
    pub uid: u32,
    pub gid: u32,
    pub mode: u32,
    /// The mode as it was given.
    pub permissions: String,
}

impl AccessPoint {
    /// How the API shows it.
    pub fn view(&self, now: SystemTime) -> Value {
        let user = self.user.as_ref().map(|user| {
            json!({
                "Uid": user.uid,
                "Gid": user.gid,
                "SecondaryGids": user.secondary_gids,
            })
        });
        let creation = self.creation.as_ref().map(|made| {
            json!({
                "OwnerUid": made.uid,
                "OwnerGid": made.gid,
                "Permissions": made.permissions,
            })
        });
        without_nulls(json!({
            "ClientToken": self.client_token,
            "Name": self.tags.name(),
            "Tags": self.tags.to_vec().write(),
            "AccessPointId": self.id,
            "AccessPointArn": self.arn,
            "FileSystemId": self.file_system,
            "PosixUser": user,
            "RootDirectory": { "Path": self.path, "CreationInfo": creation },
            "OwnerId": ACCOUNT,
            "LifeCycleState": self.life_cycle.state(now),
        }))
    }
}
