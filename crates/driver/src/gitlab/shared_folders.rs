//! The folders of builds and caches on a shared volume: each manager has its own part of them.
//!
//! gitlab-runner numbers the jobs of one manager. Two managers give the same numbers, and would build in
//! one folder at the same time. Folders on the task's own disk stay as they are.

use std::path::Path;

use fargate_config::JobProfile;
use fargate_state::{StateError, StateFolder};

use crate::context::DriverSettings;

/// The profile with a folder of this manager in each of `builds_dir` and `cache_dir` that lies on a
/// volume. Without one nothing is read, and the state folder is not needed.
///
/// # Errors
///
/// If the state folder cannot tell who this manager is.
pub async fn with_own_folders(settings: &DriverSettings) -> Result<JobProfile, StateError> {
    let mut profile = settings.profile.clone();
    let is_shared =
        |folder: &Option<String>| folder.as_deref().is_some_and(|at| is_on_volume(&profile, at));
    let (builds, cache) = (is_shared(&profile.builds_dir), is_shared(&profile.cache_dir));
    if !builds && !cache {
        return Ok(profile);
    }
    let state = StateFolder::open(&settings.state_dir, profile.timeouts.state_lock)?;
    let owner = state.owner(settings.owner.as_deref()).await?.owner;
    let own = |folder: String| own_part(&folder, owner.as_str());
    if builds {
        profile.builds_dir = profile.builds_dir.map(own);
    }
    if cache {
        profile.cache_dir = profile.cache_dir.map(own);
    }
    Ok(profile)
}

fn is_on_volume(profile: &JobProfile, folder: &str) -> bool {
    // By parts, so that `/cache2` is not below `/cache`.
    profile.storage.iter().any(|volume| Path::new(folder).starts_with(&volume.path))
}

/// An owner's name may have slashes, and no dots: with dots instead it is one folder, and no two owners
/// share it.
fn own_part(folder: &str, owner: &str) -> String {
    format!("{}/manager-{}", folder.trim_end_matches('/'), owner.replace('/', "."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_owner_has_one_folder_of_its_own() {
        assert_eq!(own_part("/cache/", "host-1"), "/cache/manager-host-1");
        assert_eq!(own_part("/cache", "ci/host-1"), "/cache/manager-ci.host-1");
        assert_ne!(own_part("/cache", "a/b"), own_part("/cache", "a-b"));
    }
}
