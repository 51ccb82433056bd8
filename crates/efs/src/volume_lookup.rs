//! The access points of one job: which ones its volumes are mounted through.
//!
//! Each file system is asked once. Nothing is made here: that is the business of a person with an
//! administrator's credentials, by `efs apply`.

use std::collections::BTreeMap;

use fargate_aws::{AwsAccount, CallError, EFS_AVAILABLE, EfsAccessPoint, EfsClient, retry};
use fargate_config::{JobProfile, StorageVolume, VolumeAccess, VolumeSeparation};
use fargate_model::cause::{CauseReport, FailureCause};
use tokio::time::Instant;

use crate::made_access_point::{FolderOwner, MadeAccessPoint, ProtectionLevel, is_project_path};

/// Why a job has no access point for a volume.
#[derive(Clone, Debug, thiserror::Error)]
pub enum VolumeLookupError {
    /// EFS could not be asked.
    #[error("looking up the access points of the volume `{volume}`: {error}")]
    Call {
        /// The volume.
        volume: String,
        /// Why; it names the right that the call needs.
        #[source]
        error: CallError,
    },
    /// `efs apply` has not made it, or it is not ready.
    #[error(
        "the volume `{volume}` has no access point on {file_system} for {whom}{}; run `{command}`",
        unusable.as_ref().map(|what| format!(" ({what})")).unwrap_or_default()
    )]
    Missing {
        /// The volume.
        volume: String,
        /// Its file system.
        file_system: String,
        /// For whom.
        whom: String,
        /// What was found instead, if something was.
        unusable: Option<String>,
        /// The command that makes it.
        command: String,
    },
    /// Several look like ours.
    #[error(
        "the volume `{volume}` has {} access points on {file_system} for {whom}: {}; delete all but one",
        ids.len(), ids.join(", ")
    )]
    Several {
        /// The volume.
        volume: String,
        /// Its file system.
        file_system: String,
        /// For whom.
        whom: String,
        /// Their ids.
        ids: Vec<String>,
    },
    /// The volume has a folder for each project, and the project is unknown.
    #[error(
        "the volume `{volume}` has a folder for each project, and the project of this job is not known"
    )]
    NoProject {
        /// The volume.
        volume: String,
    },
}

impl VolumeLookupError {
    /// The cause for the log of a job. The cause of a failed call is the caller's to find.
    #[must_use]
    pub fn why(&self) -> Option<CauseReport> {
        let (cause, volume, file_system) = match self {
            Self::Call { .. } => return None,
            Self::Missing { volume, file_system, .. } => {
                (FailureCause::AccessPointMissing, volume, file_system.as_str())
            }
            Self::Several { volume, file_system, .. } => {
                (FailureCause::AccessPointAmbiguous, volume, file_system.as_str())
            }
            Self::NoProject { volume } => (FailureCause::AccessPointMissing, volume, ""),
        };
        let why = CauseReport::new(cause).with("volume", volume).with("fs", file_system);
        let why = match self {
            Self::Missing { command, .. } => why.with("efs_command", command),
            _ => why,
        };
        let words = self.to_string();
        let (first, rest) = words.split_at(1);
        Some(why.because(format!("{}{rest}.", first.to_uppercase())))
    }
}

/// The profile with the id of its access point in each volume whose access point `efs apply` makes: what
/// a job of `project` on a ref that is or is not protected mounts. A profile without such a volume stays
/// as it is, and nothing is asked; else each file system is asked once.
///
/// # Errors
///
/// [`VolumeLookupError`].
pub async fn resolved_profile(
    profile: &JobProfile,
    account: &AwsAccount,
    project: Option<&str>,
    is_protected: bool,
    deadline: Instant,
) -> Result<JobProfile, VolumeLookupError> {
    let mut profile = profile.clone();
    let mut known: BTreeMap<String, Vec<EfsAccessPoint>> = BTreeMap::new();
    let client = EfsClient::new(account);
    for volume in &mut profile.storage {
        let Some(wanted) = wanted(volume, project, is_protected)? else { continue };
        if !known.contains_key(&volume.file_system) {
            let found = retry(deadline, || client.access_points(&volume.file_system)).await;
            let found = found.map_err(|error| of_call(volume, &wanted, error))?;
            known.insert(volume.file_system.clone(), found);
        }
        volume.access_point = Some(chosen(volume, &wanted, &known[&volume.file_system])?);
    }
    Ok(profile)
}

/// The access point that a job needs for a volume; `None` if its id is in the configuration, or it mounts
/// the root.
fn wanted(
    volume: &StorageVolume,
    project: Option<&str>,
    is_protected: bool,
) -> Result<Option<MadeAccessPoint>, VolumeLookupError> {
    let owner = match volume.access() {
        VolumeAccess::Root | VolumeAccess::Fixed(_) => return Ok(None),
        VolumeAccess::Made(VolumeSeparation::None) => FolderOwner::Everyone,
        VolumeAccess::Made(VolumeSeparation::Project) => {
            let project = project.filter(|project| is_project_path(project));
            let missing = || VolumeLookupError::NoProject { volume: volume.name.clone() };
            let project = project.ok_or_else(missing)?.to_owned();
            FolderOwner::Project { project, protection: ProtectionLevel::of(is_protected) }
        }
    };
    Ok(Some(MadeAccessPoint::new(volume, owner)))
}

/// The id of the one that is there and can be used.
fn chosen(
    volume: &StorageVolume,
    wanted: &MadeAccessPoint,
    found: &[EfsAccessPoint],
) -> Result<String, VolumeLookupError> {
    let same: Vec<&EfsAccessPoint> = found.iter().filter(|point| wanted.is(point)).collect();
    let ready: Vec<&&EfsAccessPoint> =
        same.iter().filter(|point| point.state == EFS_AVAILABLE).collect();
    match ready.as_slice() {
        [one] if is_id(&one.id) => Ok(one.id.clone()),
        [_, _, ..] => Err(VolumeLookupError::Several {
            volume: volume.name.clone(),
            file_system: volume.file_system.clone(),
            whom: wanted.owner.to_string(),
            ids: ready.iter().map(|point| point.id.clone()).collect(),
        }),
        _ => {
            let waiting = same.first().map(|point| format!("{} is {}", point.id, point.state));
            let foreign = || {
                let other = found.iter().find(|point| wanted.has_our_tags(point))?;
                Some(format!("{} has its tags, but another folder or user", other.id))
            };
            Err(missing(volume, wanted, waiting.or_else(foreign)))
        }
    }
}

fn missing(
    volume: &StorageVolume,
    wanted: &MadeAccessPoint,
    unusable: Option<String>,
) -> VolumeLookupError {
    VolumeLookupError::Missing {
        volume: volume.name.clone(),
        file_system: volume.file_system.clone(),
        whom: wanted.owner.to_string(),
        unusable,
        command: command(&wanted.owner),
    }
}

/// An error of a call. A file system that is not there has no access point either.
fn of_call(
    volume: &StorageVolume,
    wanted: &MadeAccessPoint,
    error: CallError,
) -> VolumeLookupError {
    let is_gone = |error: &CallError| matches!(error, CallError::Answered { code, .. } if code == "FileSystemNotFound");
    match &error {
        CallError::Elsewhere { error: inner, .. } if is_gone(inner) => {
            let what = format!("there is no file system {}", volume.file_system);
            missing(volume, wanted, Some(what))
        }
        _ => VolumeLookupError::Call { volume: volume.name.clone(), error },
    }
}

/// The command that makes its access point.
fn command(owner: &FolderOwner) -> String {
    match owner {
        FolderOwner::Everyone => "fargate-runner efs apply".to_owned(),
        FolderOwner::Project { project, .. } => {
            format!("fargate-runner efs apply --project {project}")
        }
    }
}

/// Whether it is an id as EFS gives them. It becomes part of a task definition.
fn is_id(text: &str) -> bool {
    text.strip_prefix("fsap-").is_some_and(|digits| {
        (8..=40).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARED: &str = "[volume.cache]\nfile_system = \"fs-0a1b2c3d\"\npath = \"/cache\"\n";

    fn profile(volume: &str) -> JobProfile {
        let text = format!(
            "config_version = 1\n[defaults]\ncluster = \"ci\"\nregion = \"eu-west-1\"\nsubnets = [\"subnet-0a1\"]\n\
             security_groups = [\"sg-0a1\"]\nimage = \"image:1\"\ntask_role = \"ci-task\"\n\
             volumes = [\"cache\"]\n{volume}"
        );
        let loaded = fargate_config::parse(
            &text,
            std::path::Path::new("config.toml"),
            fargate_config::UnknownKeyPolicy::Warn,
        );
        loaded.expect("the file is right").config.profile(None).expect("there is one profile")
    }

    fn by_project() -> StorageVolume {
        profile(&format!("{SHARED}separation = \"project\"\n")).storage.remove(0)
    }

    fn point(id: &str, wanted: &MadeAccessPoint) -> EfsAccessPoint {
        EfsAccessPoint {
            id: id.to_owned(),
            arn: format!("arn:{id}"),
            state: EFS_AVAILABLE.to_owned(),
            shape: wanted.to_make().shape,
        }
    }

    fn found(points: &[EfsAccessPoint]) -> Result<String, String> {
        let volume = by_project();
        let wanted = wanted(&volume, Some("Group/App"), true).unwrap().expect("it is made");
        chosen(&volume, &wanted, points).map_err(|error| error.to_string())
    }

    fn protected() -> MadeAccessPoint {
        wanted(&by_project(), Some("group/app"), true).unwrap().expect("it is made")
    }

    #[test]
    fn a_job_gets_the_one_access_point_that_is_its_own() {
        let other = wanted(&by_project(), Some("group/app"), false).unwrap().expect("it is made");
        let points = [point("fsap-00000002", &other), point("fsap-00000001", &protected())];
        assert_eq!(found(&points), Ok("fsap-00000001".to_owned()));
        assert_ne!(other.root(), protected().root());
    }

    #[test]
    fn without_an_access_point_the_sentence_names_the_command() {
        let said = found(&[]).unwrap_err();
        assert_eq!(
            said,
            "the volume `cache` has no access point on fs-0a1b2c3d for the protected refs of \
             group/app; run `fargate-runner efs apply --project group/app`"
        );
        let why = missing(&by_project(), &protected(), None).why().expect("it has a cause");
        assert_eq!(why.cause, FailureCause::AccessPointMissing);
        let mut making = point("fsap-00000001", &protected());
        making.state = "creating".to_owned();
        assert!(found(&[making]).unwrap_err().contains("(fsap-00000001 is creating)"));
    }

    #[test]
    fn several_are_named_and_none_is_taken() {
        let points = [point("fsap-00000001", &protected()), point("fsap-00000002", &protected())];
        let said = found(&points).unwrap_err();
        assert!(said.contains("2 access points"), "{said}");
        assert!(said.contains("fsap-00000001, fsap-00000002"), "{said}");
    }

    #[test]
    fn an_access_point_with_our_tags_and_something_else_is_not_believed() {
        let right = point("fsap-00000001", &protected());
        type PointChange = fn(&mut EfsAccessPoint);
        let changes: [(&str, PointChange); 7] = [
            ("another root", |point| point.shape.root = "/".to_owned()),
            ("another user", |point| point.shape.user = Some((0, 1000))),
            ("another group", |point| point.shape.user = Some((1000, 0))),
            ("each its own user", |point| point.shape.user = None),
            ("a further group", |point| point.shape.further_groups = vec![0]),
            ("another file system", |point| point.shape.file_system = "fs-99999999".to_owned()),
            ("an id that is none", |point| point.id = "fsap-1\", \"x\": \"".to_owned()),
        ];
        for (what, change) in changes {
            let mut point = right.clone();
            change(&mut point);
            assert!(found(&[point]).is_err(), "{what}");
        }
        let mut tagged = right.clone();
        tagged.shape.tags.insert("fargate-runner:other".to_owned(), "x".to_owned());
        assert!(found(&[tagged]).is_err(), "a tag of ours that is not its own");
        let mut named = right;
        named.shape.tags.insert("Name".to_owned(), "renamed by a person".to_owned());
        named.shape.tags.insert("team".to_owned(), "ci".to_owned());
        assert!(found(&[named]).is_ok(), "other tags are people's own");
    }

    #[test]
    fn a_job_of_an_unknown_project_gets_none() {
        for odd in [None, Some(""), Some("app"), Some("group/../app"), Some("group/a b")] {
            assert!(wanted(&by_project(), odd, true).is_err(), "{odd:?}");
        }
    }

    #[test]
    fn a_volume_with_a_fixed_access_point_or_none_needs_no_look_up() {
        for point in ["fsap-0a1b2c3d", "none"] {
            let volume =
                profile(&format!("{SHARED}access_point = \"{point}\"\n")).storage.remove(0);
            assert_eq!(wanted(&volume, None, false).unwrap(), None);
        }
    }
}
