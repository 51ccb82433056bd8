//! Whether a task may mount a file system, and what it sees of it: the mount target of its zone, the access point,
//! the policy and the role. It touches no files.
//!
//! Security groups have no rules here, so they keep no task away. Root is not squashed where `ClientRootAccess` is
//! missing.

use super::access_point::{AccessPoint, FolderCreation, PosixIdentity};
use super::file_system_policy::FileSystemPolicy;
use super::mount_client::MountClient;
use super::mount_refusal::MountRefusal;
use super::store::{RegionStorage, StorageStore};
use crate::access::access_question::AccessQuestion;
use crate::access::identity_policy::AccessDecision;
use crate::account::ACCOUNT;
use crate::cloud::CloudInstance;
use crate::services::iam::principal_store::PrincipalStore;
use crate::wire::credentials::CallerPrincipal;

const MOUNT: &str = "elasticfilesystem:ClientMount";
const WRITE: &str = "elasticfilesystem:ClientWrite";

/// A mount that a task asks for.
pub(crate) struct MountAttempt {
    pub region: String,
    /// The last letter of the task's zone.
    pub zone: char,
    pub file_system: String,
    pub access_point: Option<String>,
    /// The folder of a mount without an access point.
    pub directory: String,
    pub is_encrypted: bool,
    /// The task shows its role.
    pub uses_iam: bool,
    /// The task's role, where it has one.
    pub role: Option<TaskRoleIdentity>,
}

/// The role of a task.
pub(crate) struct TaskRoleIdentity {
    pub arn: String,
    pub principal: CallerPrincipal,
}

/// A mount that EFS allows.
#[derive(Debug)]
pub(crate) struct GrantedMount {
    /// The folder in the file system that the task sees as its root.
    pub directory: String,
    /// How the folder is made when it is missing.
    pub creation: Option<FolderCreation>,
    /// As whom everything is done.
    pub user: Option<PosixIdentity>,
    pub is_writable: bool,
}

/// Judges a mount.
pub(crate) fn authorize(
    cloud: &CloudInstance,
    attempt: &MountAttempt,
) -> Result<GrantedMount, MountRefusal> {
    let now = cloud.clock.now();
    StorageStore::with_region(cloud, &attempt.region, |storage, _| {
        // The name of a file system leads to the mount target of the zone, and is unknown where there is none.
        let is_reached = storage.mount_targets.iter().any(|target| {
            target.file_system == attempt.file_system
                && target.zone == attempt.zone
                && target.life_cycle.is_available(now)
        });
        let system = storage.file_systems.iter().find(|one| one.id == attempt.file_system);
        let unresolved = || MountRefusal::unresolved(&attempt.file_system, &attempt.region);
        let system = system.filter(|_| is_reached).ok_or_else(unresolved)?;
        let point = attempt.access_point.as_ref().map(|id| {
            let found = find_point(storage, id, &attempt.file_system);
            let found = found.filter(|point| point.life_cycle.is_available(now));
            found.ok_or_else(|| MountRefusal::denied("/"))
        });
        let point = point.transpose()?;
        let client = client(attempt, point)?;
        let policy = system.policy.as_deref().and_then(|text| {
            // It was read when it was put.
            FileSystemPolicy::read(text, &system.arn).ok()
        });
        // In one account, the policy of the file system and those of the role each allow it alone.
        // Source: Amazon EFS User Guide, "Using IAM to control file system data access".
        let may = |action: &str| {
            let role = attempt.role.as_ref().filter(|_| attempt.uses_iam);
            let by_role = role.and_then(|role| {
                let question = AccessQuestion::new(action, &system.arn);
                cloud.states.of::<PrincipalStore>().decide(&role.principal, &question)
            });
            let by_policy = policy.as_ref().is_none_or(|policy| policy.allows(action, &client));
            (by_policy || by_role == Some(AccessDecision::Allowed))
                && by_role != Some(AccessDecision::Denied)
                && role.is_none_or(|role| cloud.rights.allows(&role.principal, action))
        };
        let directory = point.map_or(attempt.directory.as_str(), |point| point.path.as_str());
        if !may(MOUNT) {
            return Err(MountRefusal::denied(if point.is_some() { "/" } else { directory }));
        }
        Ok(GrantedMount {
            directory: directory.to_owned(),
            creation: point.and_then(|point| point.creation.clone()),
            user: point.and_then(|point| point.user.clone()),
            is_writable: may(WRITE),
        })
    })
}

fn find_point<'a>(
    storage: &'a RegionStorage,
    id: &str,
    file_system: &str,
) -> Option<&'a AccessPoint> {
    let mut points = storage.access_points.iter();
    points.find(|point| point.id == id && point.file_system == file_system)
}

fn client(
    attempt: &MountAttempt,
    point: Option<&AccessPoint>,
) -> Result<MountClient, MountRefusal> {
    let role = match (attempt.uses_iam, &attempt.role) {
        (false, _) => None,
        (true, Some(role)) => Some(role.arn.clone()),
        (true, None) => return Err(MountRefusal::NoCredentials),
    };
    Ok(MountClient {
        role_arn: role,
        account: ACCOUNT.to_owned(),
        is_encrypted: attempt.is_encrypted,
        access_point_arn: point.map(|point| point.arn.clone()),
    })
}
