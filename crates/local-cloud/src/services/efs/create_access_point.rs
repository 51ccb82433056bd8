//! `CreateAccessPoint`.

use super::access_point::{AccessPoint, FolderCreation, PosixIdentity};
use super::errors;
use super::storage_checks::{access_point_path, permissions, posix_id, token};
use super::storage_id::StorageKind;
use super::storage_life_cycle::StorageLifeCycle;
use super::storage_tags::{StorageTag, StorageTags};
use super::store::StorageStore;
use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::wire::exception::ServiceException;
use crate::wire::member::shapes;

/// Access points of a file system. Source: Amazon EFS User Guide, "Quotas".
const MAX_ACCESS_POINTS: usize = 10_000;
/// Secondary groups of a user. Source: Amazon EFS API Reference, `PosixUser`.
const MAX_GROUPS: usize = 16;

shapes! {
    PosixUserMember {
        uid: i64 = "Uid",
        gid: i64 = "Gid",
        secondary_gids: Vec<i64> = "SecondaryGids",
    }
    CreationInfoMember {
        owner_uid: i64 = "OwnerUid",
        owner_gid: i64 = "OwnerGid",
        permissions: String = "Permissions",
    }
    RootDirectoryMember {
        path: String = "Path",
        creation_info: CreationInfoMember = "CreationInfo",
    }
    CreateAccessPoint {
        client_token: String = "ClientToken",
        tags: Vec<StorageTag> = "Tags",
        file_system_id: String = "FileSystemId",
        posix_user: PosixUserMember = "PosixUser",
        root_directory: RootDirectoryMember = "RootDirectory",
    }
}

impl JsonRequest for CreateAccessPoint {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        let token = token(self.client_token.as_ref(), "ClientToken")?;
        let given = self.file_system_id.as_ref();
        let file_system =
            StorageKind::FileSystem.required(context.region, given, "FileSystemId")?;
        let root = self.root_directory.clone().unwrap_or_default();
        let path = access_point_path(root.path.as_ref())?;
        let user = self.posix_user.as_ref().map(identity).transpose()?;
        let creation = root.creation_info.as_ref().map(creation).transpose()?;
        let tags = StorageTags::default().with(self.tags.clone())?;
        StorageStore::with(context, |storage, timing| {
            let right = "elasticfilesystem:CreateAccessPoint";
            storage.available_file_system(context, right, &file_system)?;
            if let Some(other) = storage.access_points.iter().find(|o| o.client_token == token) {
                return Err(errors::access_point_exists(&other.id, token));
            }
            let points = storage.access_points.iter();
            if points.filter(|one| one.file_system == file_system).count() >= MAX_ACCESS_POINTS {
                return Err(errors::too_many_access_points(MAX_ACCESS_POINTS));
            }
            let id = StorageKind::AccessPoint.draw();
            let made = AccessPoint {
                arn: StorageKind::AccessPoint.arn(context.region, &id),
                id,
                client_token: token.to_owned(),
                file_system,
                user,
                path,
                creation,
                life_cycle: StorageLifeCycle::created(context.now, timing.access_point),
                tags,
            };
            // As EFS answers, the state is `creating` even where it lasts no time.
            let mut view = made.view(context.now);
            view["LifeCycleState"] = "creating".into();
            storage.access_points.push(made);
            Ok(view)
        })
    }
}

fn identity(given: &PosixUserMember) -> Result<PosixIdentity, ServiceException> {
    let groups = given.secondary_gids.as_ref();
    if groups.is_some_and(|groups| groups.len() > MAX_GROUPS) {
        return Err(errors::bad_request(format!("SecondaryGids are at most {MAX_GROUPS}.")));
    }
    let group = |gid: &i64| posix_id(Some(*gid), "SecondaryGids");
    Ok(PosixIdentity {
        uid: posix_id(given.uid, "Uid")?,
        gid: posix_id(given.gid, "Gid")?,
        secondary_gids: groups.map(|all| all.iter().map(group).collect()).transpose()?,
    })
}

fn creation(given: &CreationInfoMember) -> Result<FolderCreation, ServiceException> {
    Ok(FolderCreation {
        uid: posix_id(given.owner_uid, "OwnerUid")?,
        gid: posix_id(given.owner_gid, "OwnerGid")?,
        mode: permissions(given.permissions.as_ref())?,
        permissions: given.permissions.clone().unwrap_or_default(),
    })
}
