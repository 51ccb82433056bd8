//! What EFS has: file systems, access points and mount targets, in our own words.
//!
//! It makes no call.
//!
//! Source: Amazon EFS API Reference, version 2015-02-01.

use std::collections::BTreeMap;

use aws_sdk_efs::types::{
    AccessPointDescription, FileSystemDescription, LifeCycleState, MountTargetDescription, Tag,
};

/// A file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EfsFileSystem {
    /// The id.
    pub id: String,
    /// The ARN.
    pub arn: String,
    /// The account that it belongs to.
    pub owner: String,
    /// Its state: `available` if it can be used.
    pub state: String,
    /// Whether its data is encrypted on disk.
    pub is_encrypted: bool,
    /// The only zone that it is in, for a file system of one zone.
    pub single_zone: Option<String>,
}

/// What an access point is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessPointShape {
    /// The file system.
    pub file_system: String,
    /// The folder that clients see as the root.
    pub root: String,
    /// The user and the group that clients act as; `None` if each client acts as its own.
    pub user: Option<(u32, u32)>,
    /// Further groups that clients belong to.
    pub further_groups: Vec<u32>,
    /// All tags.
    pub tags: BTreeMap<String, String>,
}

/// An access point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EfsAccessPoint {
    /// The id.
    pub id: String,
    /// The ARN.
    pub arn: String,
    /// Its state: `available` if it can be used.
    pub state: String,
    /// What it is made of.
    pub shape: AccessPointShape,
}

/// An access point that is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAccessPoint {
    /// What makes a repeated call have no effect: at most 64 ASCII characters.
    pub client_token: String,
    /// What it is made of. It needs a user.
    pub shape: AccessPointShape,
    /// The mode of the folder in octal digits, if EFS makes the folder.
    pub mode: String,
}

/// A mount target: the address of a file system in one zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EfsMountTarget {
    /// The id.
    pub id: String,
    /// The subnet that its address is in.
    pub subnet: String,
    /// The zone's name, which each account has for itself.
    pub zone: Option<String>,
    /// The VPC.
    pub vpc: Option<String>,
    /// Its state: `available` if it can be used.
    pub state: String,
    /// Its address.
    pub address: Option<String>,
}

/// The state of a resource that can be used.
pub const EFS_AVAILABLE: &str = "available";

impl From<&FileSystemDescription> for EfsFileSystem {
    fn from(found: &FileSystemDescription) -> Self {
        Self {
            id: found.file_system_id().to_owned(),
            arn: found.file_system_arn().unwrap_or_default().to_owned(),
            owner: found.owner_id().to_owned(),
            state: found.life_cycle_state().as_str().to_owned(),
            is_encrypted: found.encrypted().unwrap_or_default(),
            single_zone: found.availability_zone_name().map(str::to_owned),
        }
    }
}

impl From<&AccessPointDescription> for EfsAccessPoint {
    fn from(found: &AccessPointDescription) -> Self {
        let user = found.posix_user();
        // EFS gives ids as 64 bits; one beyond 32 is nobody's that a configuration can name.
        let id = |given: i64| u32::try_from(given).ok();
        let tag = |tag: &Tag| (tag.key().to_owned(), tag.value().to_owned());
        Self {
            id: found.access_point_id().unwrap_or_default().to_owned(),
            arn: found.access_point_arn().unwrap_or_default().to_owned(),
            state: found.life_cycle_state().map_or("", LifeCycleState::as_str).to_owned(),
            shape: AccessPointShape {
                file_system: found.file_system_id().unwrap_or_default().to_owned(),
                root: found.root_directory().and_then(|root| root.path()).unwrap_or("/").to_owned(),
                user: user.and_then(|user| Some((id(user.uid())?, id(user.gid())?))),
                further_groups: user
                    .map(|user| {
                        user.secondary_gids().iter().map(|gid| id(*gid).unwrap_or(0)).collect()
                    })
                    .unwrap_or_default(),
                tags: found.tags().iter().map(tag).collect(),
            },
        }
    }
}

impl From<&MountTargetDescription> for EfsMountTarget {
    fn from(found: &MountTargetDescription) -> Self {
        Self {
            id: found.mount_target_id().to_owned(),
            subnet: found.subnet_id().to_owned(),
            zone: found.availability_zone_name().map(str::to_owned),
            vpc: found.vpc_id().map(str::to_owned),
            state: found.life_cycle_state().as_str().to_owned(),
            address: found.ip_address().map(str::to_owned),
        }
    }
}
