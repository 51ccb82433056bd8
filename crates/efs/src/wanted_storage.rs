//! What the configuration asks of EFS: for each file system its volumes, who mounts them, and from which
//! subnets.
//!
//! It makes no call. All profiles count, because the policy of a file system names the roles of all.

use std::collections::BTreeSet;

use fargate_config::{
    JobProfile, RefBinding, RunnerConfig, StorageVolume, VolumeAccess, VolumeSeparation,
    is_one_project, project_matches,
};

use crate::made_access_point::{FolderOwner, MadeAccessPoint, ProtectionLevel, is_project_path};
use crate::storage_error::StorageError;

/// One file system that the configuration names.
#[derive(Clone, Debug)]
pub struct WantedFileSystem {
    /// Its id.
    pub id: String,
    /// The first profile that mounts it, without the role of the manager: how its Region is reached.
    pub reached_by: JobProfile,
    /// The subnets of all tasks that mount it, each once, in the order of the file.
    pub subnets: Vec<String>,
    /// Its volumes that a profile names.
    pub volumes: Vec<WantedVolume>,
}

/// One volume and the profiles that mount it.
#[derive(Clone, Debug)]
pub struct WantedVolume {
    /// The volume.
    pub volume: StorageVolume,
    /// The profiles that mount it.
    pub profiles: Vec<MountingProfile>,
    /// The projects that get folders of their own, in lower case; empty without separation.
    pub projects: BTreeSet<String>,
    /// Patterns of projects that stand for more than one.
    pub open_patterns: BTreeSet<String>,
}

/// One profile that mounts a volume.
#[derive(Clone, Debug)]
pub struct MountingProfile {
    /// Its name, for people.
    pub name: String,
    /// The task role as the file has it.
    pub task_role: Option<String>,
    /// Patterns of its projects; none is every project.
    projects: Vec<String>,
    refs: RefBinding,
}

impl MountingProfile {
    /// Whether a job of this profile may be of the project at this level.
    #[must_use]
    pub fn runs(&self, project: &str, protection: ProtectionLevel) -> bool {
        let is_ref = protection == ProtectionLevel::Protected || self.refs == RefBinding::Any;
        is_ref && self.is_for(project)
    }

    fn is_for(&self, project: &str) -> bool {
        self.projects.is_empty()
            || self.projects.iter().any(|pattern| project_matches(pattern, project))
    }
}

impl WantedVolume {
    /// The access points that `efs apply` makes for it.
    #[must_use]
    pub fn access_points(&self) -> Vec<MadeAccessPoint> {
        match self.volume.access() {
            VolumeAccess::Root | VolumeAccess::Fixed(_) => Vec::new(),
            VolumeAccess::Made(VolumeSeparation::None) => {
                vec![MadeAccessPoint::new(&self.volume, FolderOwner::Everyone)]
            }
            VolumeAccess::Made(VolumeSeparation::Project) => {
                let owners = self.projects.iter().flat_map(|project| {
                    ProtectionLevel::ALL.map(|protection| (project.clone(), protection))
                });
                let used = owners.filter(|(project, protection)| {
                    self.profiles.iter().any(|profile| profile.runs(project, *protection))
                });
                used.map(|(project, protection)| {
                    let owner = FolderOwner::Project { project, protection };
                    MadeAccessPoint::new(&self.volume, owner)
                })
                .collect()
            }
        }
    }

    /// Whether jobs of different projects get different folders.
    #[must_use]
    pub fn is_by_project(&self) -> bool {
        self.volume.access() == VolumeAccess::Made(VolumeSeparation::Project)
    }

    /// Adds a project whose access point was made before, if a profile still runs it.
    pub(crate) fn add_known_project(&mut self, project: &str) {
        if self.is_by_project() && self.profiles.iter().any(|profile| profile.is_for(project)) {
            self.projects.insert(project.to_lowercase());
        }
    }
}

/// What the file asks for, with the projects that the command line adds.
///
/// # Errors
///
/// [`StorageError::Setting`] if no profile mounts a volume, or if a project is none that a profile with
/// separated folders runs.
pub fn wanted_storage(
    config: &RunnerConfig,
    projects: &[String],
) -> Result<Vec<WantedFileSystem>, StorageError> {
    let mut found: Vec<WantedFileSystem> = Vec::new();
    for (name, profile) in profiles(config)? {
        for volume in &profile.storage {
            add(&mut found, &name, &profile, volume)?;
        }
    }
    if found.is_empty() {
        let volumes: Vec<String> = config.volumes().map(|volume| volume.name).collect();
        return Err(StorageError::setting(match volumes.as_slice() {
            [] => "the file has no volume; add `[volume.NAME]`, and `volumes = [\"NAME\"]` in a \
                   profile with `image`"
                .to_owned(),
            [first, ..] => format!(
                "no profile mounts a volume; add `volumes = [\"{first}\"]` to a profile with `image`"
            ),
        }));
    }
    for project in projects {
        add_project(&mut found, project)?;
    }
    Ok(found)
}

/// The volumes of the file that no profile names.
#[must_use]
pub fn unused_volumes(config: &RunnerConfig, wanted: &[WantedFileSystem]) -> Vec<String> {
    let used =
        |name: &str| wanted.iter().flat_map(|one| &one.volumes).any(|one| one.volume.name == name);
    config.volumes().map(|volume| volume.name).filter(|name| !used(name)).collect()
}

/// The roles that managers assume, by the ARNs in the file: no command of ours runs as one of them.
///
/// # Errors
///
/// As [`wanted_storage`].
pub fn manager_roles(config: &RunnerConfig) -> Result<BTreeSet<String>, StorageError> {
    Ok(profiles(config)?.into_iter().filter_map(|(_, profile)| profile.assume_role_arn).collect())
}

/// Every profile of the file; without any, what `[defaults]` alone gives.
fn profiles(config: &RunnerConfig) -> Result<Vec<(String, JobProfile)>, StorageError> {
    let names = config.profile_names();
    let read = |name: Option<&str>| {
        config.profile(name).map_err(|error| StorageError::setting(error.to_string()))
    };
    let mut profiles = Vec::new();
    for name in &names {
        profiles.push((format!("profile `{name}`"), read(Some(name))?));
    }
    match config.profile(None) {
        Ok(defaults) => profiles.push(("`[defaults]`".to_owned(), defaults)),
        // With profiles, defaults need not be whole.
        Err(_) if !names.is_empty() => {}
        Err(error) => return Err(StorageError::setting(error.to_string())),
    }
    Ok(profiles)
}

fn add(
    found: &mut Vec<WantedFileSystem>,
    name: &str,
    profile: &JobProfile,
    volume: &StorageVolume,
) -> Result<(), StorageError> {
    let at = match found.iter().position(|one| one.id == volume.file_system) {
        Some(at) => at,
        None => {
            found.push(WantedFileSystem {
                id: volume.file_system.clone(),
                reached_by: without_role(profile),
                subnets: Vec::new(),
                volumes: Vec::new(),
            });
            found.len() - 1
        }
    };
    let file_system = &mut found[at];
    if file_system.reached_by.region != profile.region {
        let shown = |region: &Option<String>| region.clone().unwrap_or("that of this host".into());
        return Err(StorageError::setting(format!(
            "{name} mounts the volume `{}` in the Region {}, and another profile mounts {} in {}; a file \
             system is in one Region",
            volume.name,
            shown(&profile.region),
            file_system.id,
            shown(&file_system.reached_by.region),
        )));
    }
    for subnet in &profile.subnets {
        if !file_system.subnets.contains(subnet) {
            file_system.subnets.push(subnet.clone());
        }
    }
    let at = match file_system.volumes.iter().position(|one| one.volume.name == volume.name) {
        Some(at) => at,
        None => {
            file_system.volumes.push(WantedVolume {
                volume: volume.clone(),
                profiles: Vec::new(),
                projects: BTreeSet::new(),
                open_patterns: BTreeSet::new(),
            });
            file_system.volumes.len() - 1
        }
    };
    let wanted = &mut file_system.volumes[at];
    wanted.profiles.push(MountingProfile {
        name: name.to_owned(),
        task_role: profile.task_role.clone(),
        projects: profile.projects.clone(),
        refs: profile.refs,
    });
    if wanted.is_by_project() {
        let (one, open): (Vec<_>, Vec<_>) =
            profile.projects.iter().partition(|pattern| is_one_project(pattern));
        wanted.projects.extend(one.into_iter().map(|project| project.to_lowercase()));
        wanted.open_patterns.extend(open.into_iter().cloned());
        if profile.projects.is_empty() {
            wanted.open_patterns.insert("**".to_owned());
        }
    }
    Ok(())
}

/// The profile as an administrator reaches its Region: with the credentials of this host.
fn without_role(profile: &JobProfile) -> JobProfile {
    let mut profile = profile.clone();
    profile.assume_role_arn = None;
    profile
}

fn add_project(found: &mut [WantedFileSystem], project: &str) -> Result<(), StorageError> {
    if !is_project_path(project) {
        return Err(StorageError::setting(format!(
            "`--project {project:?}` is no path of a project; `group/project` is expected, without `*`"
        )));
    }
    let mut is_used = false;
    for volume in found.iter_mut().flat_map(|one| &mut one.volumes) {
        let before = volume.projects.len();
        volume.add_known_project(project);
        is_used |=
            volume.projects.len() > before || volume.projects.contains(&project.to_lowercase());
    }
    if is_used {
        return Ok(());
    }
    Err(StorageError::setting(format!(
        "no profile that mounts a volume with `separation = \"project\"` is for the project {project}; \
         see `projects` of the profiles"
    )))
}

/// Groups for mount targets: those of all volumes of a file system.
pub(crate) fn groups(file_system: &WantedFileSystem) -> Vec<String> {
    let volumes = file_system.volumes.iter();
    let groups: BTreeSet<&String> =
        volumes.flat_map(|one| &one.volume.mount_target_security_groups).collect();
    groups.into_iter().cloned().collect()
}
