//! Where volumes are: folders of this machine below the cloud's own folder.

use std::path::{Path, PathBuf};

use crate::backend::container::{ContainerPlan, VolumeSource};

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
        source: match &mount.source {
            VolumeSource::Task { name } => volumes_of(&plan.task, folder).join(name),
            VolumeSource::Folder(folder) => folder.clone(),
        },
        path: mount.path.clone(),
        read_only: mount.read_only,
    });
    mounts.collect()
}

/// Deletes what only this task used; file systems stay.
pub fn remove(task: &str, folder: &Path) {
    // Most tasks have none; what cannot be deleted goes with the cloud's folder.
    let _ = std::fs::remove_dir_all(volumes_of(task, folder));
}

/// Deletes the files of a file system.
pub fn remove_file_system(id: &str, folder: &Path) {
    // It has none until a task mounts it; what cannot be deleted goes with the cloud's folder.
    let _ = std::fs::remove_dir_all(folder.join("efs").join(id));
}

fn volumes_of(task: &str, folder: &Path) -> PathBuf {
    folder.join("volumes").join(task)
}
