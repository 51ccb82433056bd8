//! Where volumes are: folders of this machine below the cloud's own folder.

use std::path::{Path, PathBuf};

use crate::backend::container::{ContainerPlan, FileSystemPlace, VolumeSource};

/// A folder of this machine that a container sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindMount {
    pub source: PathBuf,
    pub path: PathBuf,
    pub read_only: bool,
}

/// The folders that a container mounts.
pub fn bind_mounts(plan: &ContainerPlan, folder: &Path) -> Vec<BindMount> {
    let mounts = plan.mounts.iter().map(|mount| BindMount {
        source: source(&mount.source, &plan.task, folder),
        path: mount.path.clone(),
        read_only: mount.read_only,
    });
    mounts.collect()
}

fn source(volume: &VolumeSource, task: &str, folder: &Path) -> PathBuf {
    match volume {
        VolumeSource::Task { name } => volumes_of(task, folder).join(name),
        VolumeSource::FileSystem { id, place } => file_system(id, place, folder),
    }
}

/// The folder of a part of a file system, which all tasks share.
pub fn file_system(id: &str, place: &FileSystemPlace, folder: &Path) -> PathBuf {
    let system = folder.join("efs").join(id);
    match place {
        FileSystemPlace::AccessPoint(point) => system.join("access-points").join(point),
        // `join` with an absolute path would leave the file system.
        FileSystemPlace::Directory(root) => system.join("root").join(root.trim_start_matches('/')),
    }
}

/// Deletes what only this task used; file systems stay.
pub fn remove(task: &str, folder: &Path) {
    // Most tasks have none; what cannot be deleted goes with the cloud's folder.
    let _ = std::fs::remove_dir_all(volumes_of(task, folder));
}

fn volumes_of(task: &str, folder: &Path) -> PathBuf {
    folder.join("volumes").join(task)
}
