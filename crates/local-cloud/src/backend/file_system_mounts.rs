//! The file systems of tasks on this machine: finds or makes the folder that a task sees, and lets everything in it be
//! done as one user where an access point says so.
//!
//! `bindfs` shows the folder at another place and gives each new file to that user, whoever makes it. It ends with the
//! task, or with the cloud. What a container may do there is not judged here.

use std::collections::HashMap;
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use nix::unistd::{getegid, geteuid};

use super::container::{FileOwner, FileSystemVolume, FolderMaking};
use super::identity_mount::{IdentityMount, IdentityMountError};

/// The mode of the root folder of a file system. Source: Amazon EFS User Guide, "Working with users, groups, and
/// permissions at the NFS level".
const ROOT_MODE: u32 = 0o755;

/// The file systems of one cloud, and what its tasks have mounted of them.
pub(crate) struct FileSystemMounts {
    /// The cloud's folder.
    folder: PathBuf,
    /// By task.
    mounted: Mutex<HashMap<String, Vec<IdentityMount>>>,
}

/// Why a folder could not be given to a task.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VolumeMountError {
    /// The folder is missing, and nobody says how to make it; or it is no folder of the file system.
    #[error("the folder does not exist")]
    NoFolder,
    #[error("making its folder: {0}")]
    Make(io::Error),
    #[error(transparent)]
    Identity(#[from] IdentityMountError),
}

impl FileSystemMounts {
    /// Those of a cloud with this folder. Nothing is made before a task asks for it.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), mounted: Mutex::default() }
    }

    /// The folder that containers of `task` are to see.
    pub async fn mount(
        &self,
        task: &str,
        volume: &FileSystemVolume,
    ) -> Result<PathBuf, VolumeMountError> {
        let root = self.root(&volume.id).map_err(VolumeMountError::Make)?;
        let folder = inner_folder(&root, &volume.directory, volume.making)?;
        let Some(owner) = volume.owner.filter(|owner| !is_everybody(*owner)) else {
            return Ok(folder);
        };
        let number = self.mounted().get(task).map_or(0, Vec::len);
        let target = self.folder.join("mounts").join(task).join(number.to_string());
        let mounted = IdentityMount::open(&folder, target, owner, volume.is_for_all_users).await?;
        let shown = mounted.target().to_owned();
        self.mounted().entry(task.to_owned()).or_default().push(mounted);
        Ok(shown)
    }

    /// Ends the mounts of a task whose containers have ended. The files stay.
    pub async fn release(&self, task: &str) {
        let mounts = self.mounted().remove(task).unwrap_or_default();
        if mounts.is_empty() {
            return;
        }
        let folder = self.folder.join("mounts").join(task);
        // An error means that the runtime ends; what is mounted ends with this process then.
        let _ = tokio::task::spawn_blocking(move || {
            drop(mounts);
            // It is empty, or it stays.
            let _ = fs::remove_dir(folder);
        })
        .await;
    }

    /// Ends all mounts.
    pub fn release_all(&self) {
        self.mounted().clear();
    }

    fn root(&self, id: &str) -> io::Result<PathBuf> {
        let root = self.folder.join("efs").join(id).join("root");
        if !root.is_dir() {
            DirBuilder::new().recursive(true).create(&root)?;
            fs::set_permissions(&root, Permissions::from_mode(ROOT_MODE))?;
        }
        Ok(root)
    }

    fn mounted(&self) -> MutexGuard<'_, HashMap<String, Vec<IdentityMount>>> {
        self.mounted.lock().expect("no one panics while holding the mounts")
    }
}

/// Whether everything that a container does is done as this user anyway: a cloud that is not root runs all of it as
/// itself.
fn is_everybody(owner: FileOwner) -> bool {
    let own = (geteuid(), getegid());
    !own.0.is_root() && (own.0.as_raw(), own.1.as_raw()) == (owner.uid, owner.gid)
}

/// The folder `directory` below `root`. A symbolic link on the way is no folder: tasks can make links that lead out of
/// the file system.
fn inner_folder(
    root: &Path,
    directory: &str,
    making: Option<FolderMaking>,
) -> Result<PathBuf, VolumeMountError> {
    let mut folder = root.to_owned();
    for part in Path::new(directory).components() {
        match part {
            Component::RootDir => continue,
            Component::Normal(name) => folder.push(name),
            _ => return Err(VolumeMountError::NoFolder),
        }
        match fs::symlink_metadata(&folder) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => return Err(VolumeMountError::NoFolder),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let making = making.ok_or(VolumeMountError::NoFolder)?;
                make_folder(&folder, making).map_err(VolumeMountError::Make)?;
            }
            Err(error) => return Err(VolumeMountError::Make(error)),
        }
    }
    Ok(folder)
}

fn make_folder(folder: &Path, making: FolderMaking) -> io::Result<()> {
    let made = DirBuilder::new().mode(0o700).create(folder);
    match made {
        Ok(()) => {}
        // Another task has just made it.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => return Err(error),
    }
    let FileOwner { uid, gid } = making.owner;
    if !is_everybody(making.owner) {
        chown(folder, Some(uid), Some(gid)).inspect_err(|_| {
            // Without its owner it would be taken for one that was made rightly.
            let _ = fs::remove_dir(folder);
        })?;
    }
    fs::set_permissions(folder, Permissions::from_mode(making.mode))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn own() -> FolderMaking {
        let owner = FileOwner { uid: geteuid().as_raw(), gid: getegid().as_raw() };
        FolderMaking { owner, mode: 0o750 }
    }

    #[test]
    fn a_missing_folder_is_made_with_its_mode_or_is_missing() {
        let root = tempfile::tempdir().expect("a folder");
        let found = inner_folder(root.path(), "/ci/one", None);
        assert!(matches!(found, Err(VolumeMountError::NoFolder)), "{found:?}");
        let made = inner_folder(root.path(), "/ci/one", Some(own())).expect("made");
        assert_eq!(made, root.path().join("ci/one"));
        let mode = made.metadata().expect("a folder").permissions().mode();
        assert_eq!(mode & 0o7777, 0o750);
        assert_eq!(inner_folder(root.path(), "/ci/one", None).expect("it is there"), made);
        assert_eq!(inner_folder(root.path(), "/", None).expect("the root"), root.path());
    }

    #[test]
    fn a_link_that_a_task_made_leads_nowhere() {
        let root = tempfile::tempdir().expect("a folder");
        let outside = tempfile::tempdir().expect("a folder");
        symlink(outside.path(), root.path().join("ci")).expect("a link");
        for directory in ["/ci", "/ci/one", "/../x"] {
            let found = inner_folder(root.path(), directory, Some(own()));
            assert!(matches!(found, Err(VolumeMountError::NoFolder)), "{directory}: {found:?}");
        }
        assert_eq!(fs::read_dir(outside.path()).expect("a folder").count(), 0);
    }
}
