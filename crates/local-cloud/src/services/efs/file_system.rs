//! One file system and how it is shown.

use std::time::SystemTime;

use serde_json::{Value, json};

use super::storage_life_cycle::StorageLifeCycle;
use super::storage_tags::StorageTags;
use crate::account::ACCOUNT;
use crate::clock::epoch_seconds;
use crate::wire::member::{ShapeMember, without_nulls};

/// Bytes that an empty file system has. Source: answers of the service to `DescribeFileSystems`. This cloud does
/// not measure what tasks write.
const EMPTY_BYTES: u64 = 6144;

/// One file system.
#[derive(Clone, Debug)]
pub struct FileSystem {
    pub id: String,
    pub arn: String,
    pub creation_token: String,
    pub created: SystemTime,
    pub life_cycle: StorageLifeCycle,
    pub performance_mode: String,
    pub throughput_mode: String,
    pub encrypted: bool,
    pub kms_key_id: Option<String>,
    /// The only zone that it is in; `None` where it is in all zones of its Region.
    pub zone: Option<String>,
    pub tags: StorageTags,
    /// Who may mount it; `None` lets everybody who reaches a mount target do everything.
    pub policy: Option<String>,
}

impl FileSystem {
    /// How the API shows it.
    pub fn view(&self, mount_targets: usize, now: SystemTime) -> Value {
        let size = json!({
            "Value": EMPTY_BYTES,
            "ValueInStandard": EMPTY_BYTES,
            "ValueInIA": 0,
            "ValueInArchive": 0,
        });
        without_nulls(json!({
            "OwnerId": ACCOUNT,
            "CreationToken": self.creation_token,
            "FileSystemId": self.id,
            "FileSystemArn": self.arn,
            "CreationTime": epoch_seconds(self.created),
            "LifeCycleState": self.life_cycle.state(now),
            "Name": self.tags.name(),
            "NumberOfMountTargets": mount_targets,
            "SizeInBytes": size,
            "PerformanceMode": self.performance_mode,
            "Encrypted": self.encrypted,
            "KmsKeyId": self.kms_key_id,
            "ThroughputMode": self.throughput_mode,
            "AvailabilityZoneName": self.zone,
            "Tags": self.tags.to_vec().write(),
            "FileSystemProtection": { "ReplicationOverwriteProtection": "ENABLED" },
        }))
    }
}
