//! Shared folders on EFS: which access points a job's volumes are mounted through, and what a person with
//! an administrator's credentials makes for that.
//!
//! It launches nothing, and it deletes nothing: no data, file system, access point or mount target.

mod made_access_point;
mod mount_policy;
mod storage_apply;
mod storage_calls;
mod storage_error;
mod storage_plan;
mod storage_site;
mod volume_lookup;
mod wanted_storage;

pub use made_access_point::{FolderOwner, MadeAccessPoint, ProtectionLevel};
pub use mount_policy::{EVERYBODY, FoundPolicy, MAX_POLICY, MountGrant};
pub use storage_apply::{AVAILABLE_WITHIN, ApplyProgress};
pub use storage_calls::calls;
pub use storage_error::StorageError;
pub use storage_plan::{FileSystemPlan, StorageStep};
pub use storage_site::{FileSystemState, StorageSite};
pub use volume_lookup::{VolumeLookupError, resolved_profile};
pub use wanted_storage::{MountingProfile, WantedFileSystem, WantedVolume, unused_volumes};
