//! The volumes that tasks mount: those that the configuration names, and those of a task definition that
//! somebody else made.

use std::borrow::Cow;

use fargate_config::{JobProfile, StorageVolume, VolumeSeparation};

use crate::check_catalogue::CheckInput;
use crate::views::{DefinitionFacts, DefinitionMount};

/// One volume of the tasks of a profile.
#[derive(Clone, Debug)]
pub(crate) struct MountedVolume<'a> {
    /// The profile.
    pub profile: &'a JobProfile,
    /// The volume.
    pub volume: Cow<'a, StorageVolume>,
    /// The role that tasks show when they mount.
    pub task_role: Option<&'a str>,
    /// The task definition in which the volume stands; `None` for a volume of the configuration.
    pub definition: Option<&'a DefinitionFacts>,
}

/// All volumes, in the order of the profiles.
pub(crate) fn mounted_volumes(input: CheckInput<'_>) -> Vec<MountedVolume<'_>> {
    let mut found = Vec::new();
    for (at, profile) in input.needs.profiles.iter().enumerate() {
        found.extend(profile.storage.iter().map(|volume| MountedVolume {
            profile,
            volume: Cow::Borrowed(volume),
            task_role: profile.task_role.as_deref(),
            definition: None,
        }));
        let Some(facts) = input.view.cluster.usable_definition(at) else { continue };
        // A definition that this program makes has the volumes of the profile as well.
        let is_named =
            |mount: &DefinitionMount| profile.storage.iter().any(|it| it.name == mount.name);
        let further = facts.mounts.iter().filter(|mount| !is_named(mount));
        found.extend(further.map(|mount| MountedVolume {
            profile,
            volume: Cow::Owned(volume_of(mount)),
            // The `task_role` of a profile does not replace that of a fixed definition.
            task_role: facts.task_role.as_deref(),
            definition: Some(facts),
        }));
    }
    found
}

/// The volume as the configuration would have it. Of what only `efs apply` needs it has nothing.
fn volume_of(mount: &DefinitionMount) -> StorageVolume {
    StorageVolume {
        name: mount.name.clone(),
        file_system: mount.file_system.clone(),
        path: String::new(),
        // `"none"` is the word of the configuration for a mount without an access point.
        access_point: Some(mount.access_point.clone().unwrap_or_else(|| "none".to_owned())),
        separation: VolumeSeparation::None,
        read_only: mount.read_only,
        iam: mount.iam,
        transit_encryption: mount.transit_encryption,
        folder: mount.folder.clone(),
        uid: 0,
        gid: 0,
        mode: String::new(),
        principals: Vec::new(),
        mount_target_security_groups: Vec::new(),
    }
}
