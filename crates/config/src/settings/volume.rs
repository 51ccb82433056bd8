//! `[volume.NAME]`: one shared folder on EFS, as tasks mount it and as `efs apply` makes it.
//!
//! Which tasks mount it is a profile's business.

use crate::check;
use crate::keyword::VolumeSeparation;
use crate::role;
use crate::row::{flag, keyword, number, text, texts};
use crate::table::settings_table;

/// Most principals beside the task roles. Ours: a policy of EFS holds 20,000 characters.
const MAX_PRINCIPALS: usize = 20;

/// Most security groups of a mount target. Source: Amazon EFS API Reference, `CreateMountTarget`.
const MAX_GROUPS: usize = 5;

/// Largest id of a user or group. Source: Amazon EFS API Reference, `PosixUser`.
const MAX_ID: u32 = u32::MAX;

settings_table! {
    /// A shared folder on EFS.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct StorageVolume {
        beside {
            /// The volume's name.
            pub name: String,
        }
        /// The EFS file system, by its id.
        pub file_system: String = text(check::file_system).example("\"fs-0a1b2c3d\""),
        /// Where the volume is mounted inside a task. An absolute path.
        pub path: String = text(check::mount_path).example("\"/cache\""),
        /// The access point, by its id, where somebody else made it; `"none"` mounts the root of the file
        /// system.
        pub access_point: Option<String> = text(check::access_point)
            .or_absent("`fargate-runner efs apply` makes one, and each launch looks it up")
            .example("\"fsap-0a1b2c3d\""),
        /// Who gets the same folder: `"none"`, all jobs of the profiles that name the volume; or
        /// `"project"`, the jobs of one project on protected refs, and apart from them those on other
        /// refs. Each folder has an access point of its own.
        pub separation: VolumeSeparation = keyword::<VolumeSeparation>().or_text("none"),
        /// Whether tasks may only read it.
        pub read_only: bool = flag().or_flag(false),
        /// Whether a task shows its `task_role` when it mounts, so that the policy of the file system
        /// can tell who it is. Without it, whoever reaches the mount target is let in.
        pub iam: bool = flag().or_flag(true),
        /// Whether the data is encrypted on its way. IAM and access points need it.
        pub transit_encryption: bool = flag().or_flag(true),
        /// The folder of the file system below which `efs apply` makes the volume's folders: `/` and one
        /// name.
        pub folder: String = text(check::volume_folder).or_text("/fargate-runner"),
        /// The user that all files belong to, whoever writes them.
        pub uid: u32 = number(0, MAX_ID).or_number(1000),
        /// The group that all files belong to.
        pub gid: u32 = number(0, MAX_ID).or_number(1000),
        /// The mode of the folder when it is made, in octal digits.
        pub mode: String = text(check::folder_mode).or_text("0750"),
        /// Other roles that may mount and write, by their ARN: those of servers that share the data.
        pub principals: Vec<String> = texts(0, MAX_PRINCIPALS, role::arn).or_empty()
            .example("[\"arn:aws:iam::123456789012:role/build-server\"]"),
        /// Security groups of the mount targets that `efs apply` makes. They must let the tasks in
        /// on port 2049.
        pub mount_target_security_groups: Vec<String> =
            texts(0, MAX_GROUPS, check::security_group).or_empty().example("[\"sg-0a1\"]"),
    }
}

/// Which access point of its file system a volume is mounted through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VolumeAccess<'a> {
    /// None: the root of the file system is mounted.
    Root,
    /// One that somebody else made.
    Fixed(&'a str),
    /// One that `efs apply` makes: one for all, or one for each project and protection level.
    Made(VolumeSeparation),
}

impl StorageVolume {
    /// Which access point it is mounted through: one choice that two keys make.
    #[must_use]
    pub fn access(&self) -> VolumeAccess<'_> {
        match self.access_point.as_deref() {
            Some("none") => VolumeAccess::Root,
            Some(id) => VolumeAccess::Fixed(id),
            None => VolumeAccess::Made(self.separation),
        }
    }
}
