//! File systems, their mount targets, access points and policies.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use fargate_aws::{EfsAccessPoint, EfsFileSystem};

use crate::reading::AwsReading;

/// Where a mount target is, and who guards it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountTargetPlace {
    /// The file system.
    pub file_system: String,
    /// The subnet.
    pub subnet: String,
    /// The zone's name.
    pub zone: String,
    /// The VPC, if EFS tells it.
    pub vpc: Option<String>,
    /// The address.
    pub address: Option<Ipv4Addr>,
    /// The security groups.
    pub groups: Vec<String>,
}

/// One file system.
#[derive(Clone, Debug, Default)]
pub struct FileSystemView {
    /// The file system; `None` if there is none with this id.
    pub found: AwsReading<Option<EfsFileSystem>>,
    /// Its access points.
    pub access_points: AwsReading<Vec<EfsAccessPoint>>,
    /// Its policy; `None` if it has none.
    pub policy: AwsReading<Option<String>>,
}

/// File systems, their mount targets, access points and policies.
#[derive(Clone, Debug, Default)]
pub struct StorageView {
    /// The available mount targets of every file system that a profile mounts, with their groups. Not asked
    /// for if no profile mounts one.
    pub mount_targets: AwsReading<Vec<MountTargetPlace>>,
    /// The file systems that profiles mount, by id.
    pub file_systems: BTreeMap<String, FileSystemView>,
}
