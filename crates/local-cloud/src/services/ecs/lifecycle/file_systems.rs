//! The file systems of a task: asks EFS whether the task may mount them, and the backend for their folders. ECS does
//! so before any container starts.

use fargate_model::region::AwsPartition;

use super::mounted_file_system::MountedFileSystem;
use super::role_credentials::task_role;
use super::task_lifecycle::TaskLifecycle;
use crate::account::ACCOUNT;
use crate::backend::container::{FileOwner, FileSystemVolume, FolderMaking};
use crate::backend::file_system_mounts::VolumeMountError;
use crate::services::ecs::shape::definition::{EfsVolume, Volume};
use crate::services::ecs::state::task::CloudTask;
use crate::services::ecs::state::task_ending::CloudTaskEnding;
use crate::services::efs::mount_access::{GrantedMount, MountAttempt, TaskRoleIdentity, authorize};
use crate::services::efs::mount_refusal::MountRefusal;
use crate::wire::credentials::CallerPrincipal;

impl TaskLifecycle {
    /// Mounts the task's file systems; the first that cannot be mounted ends the task.
    pub(super) async fn mount_file_systems(&mut self) -> Result<(), CloudTaskEnding> {
        let attempts = self.read(attempts).unwrap_or_default();
        for (name, attempt) in attempts {
            let mounted = self.mount_one(&attempt).await.map_err(|refusal| {
                CloudTaskEnding::gentle("TaskFailedToStart", &refusal.to_string())
            })?;
            self.file_systems.insert(name, mounted);
        }
        Ok(())
    }

    async fn mount_one(&self, attempt: &MountAttempt) -> Result<MountedFileSystem, MountRefusal> {
        let granted = authorize(&self.cloud, attempt)?;
        let owner = granted.user.as_ref().map(|user| FileOwner { uid: user.uid, gid: user.gid });
        let volume = FileSystemVolume {
            id: attempt.file_system.clone(),
            directory: granted.directory.clone(),
            making: granted.creation.as_ref().map(|made| FolderMaking {
                owner: FileOwner { uid: made.uid, gid: made.gid },
                mode: made.mode,
            }),
            owner,
            is_for_all_users: owner.is_some_and(|owner| self.has_other_users(owner)),
        };
        let mounted = self.cloud.backend.file_systems().mount(&self.start.id, &volume).await;
        let folder = mounted.map_err(|error| refusal(error, attempt, &granted))?;
        Ok(MountedFileSystem { folder, is_writable: granted.is_writable })
    }

    /// Whether a container runs as somebody who is neither root nor the owner.
    fn has_other_users(&self, owner: FileOwner) -> bool {
        let uid = owner.uid.to_string();
        let is_other = |user: &str| {
            let user = user.split(':').next().unwrap_or_default();
            !["", "0", "root", uid.as_str()].contains(&user)
        };
        let any = self.read(|task| {
            let users = task.definition.containers().iter().filter_map(|one| one.user.as_deref());
            users.into_iter().any(is_other)
        });
        any.unwrap_or(false)
    }
}

/// The mounts of a task's volumes, by the names of the volumes.
fn attempts(task: &CloudTask) -> Vec<(String, MountAttempt)> {
    let named = |volume: &Volume| {
        let efs = volume.efs_volume_configuration.as_ref()?;
        Some((volume.name.clone().unwrap_or_default(), attempt(task, efs)))
    };
    task.definition.volumes().iter().filter_map(named).collect()
}

fn attempt(task: &CloudTask, efs: &EfsVolume) -> MountAttempt {
    let authorization = efs.authorization_config.as_ref();
    let is_enabled = |word: Option<&str>| word == Some("ENABLED");
    let directory = efs.root_directory.clone().filter(|directory| !directory.is_empty());
    MountAttempt {
        region: task.region.clone(),
        zone: task.place.zone,
        file_system: efs.file_system_id.clone().unwrap_or_default(),
        access_point: authorization.and_then(|own| own.access_point_id.clone()),
        directory: directory.unwrap_or_else(|| "/".to_owned()),
        is_encrypted: is_enabled(efs.transit_encryption.as_deref()),
        uses_iam: is_enabled(authorization.and_then(|own| own.iam.as_deref())),
        role: task_role(task).map(|role| role_identity(role, task)),
    }
}

fn role_identity(role: &str, task: &CloudTask) -> TaskRoleIdentity {
    let name = role.rsplit('/').next().unwrap_or_default().to_owned();
    let partition = AwsPartition::of(&task.region).name();
    let arn = match role.starts_with("arn:") {
        true => role.to_owned(),
        false => format!("arn:{partition}:iam::{ACCOUNT}:role/{role}"),
    };
    let principal = CallerPrincipal::Session { role: name, session: task.id.clone() };
    TaskRoleIdentity { arn, principal }
}

/// What ECS says of a folder that could not be mounted. EFS denies access to an access point whose folder is missing.
///
/// Source: Amazon EFS User Guide, "Mounting an access point fails".
fn refusal(
    error: VolumeMountError,
    attempt: &MountAttempt,
    granted: &GrantedMount,
) -> MountRefusal {
    match error {
        VolumeMountError::NoFolder if attempt.access_point.is_some() => MountRefusal::denied("/"),
        VolumeMountError::NoFolder => MountRefusal::NoDirectory { path: granted.directory.clone() },
        other => MountRefusal::Machine {
            file_system: attempt.file_system.clone(),
            problem: other.to_string(),
        },
    }
}
