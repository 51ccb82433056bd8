//! The access points that `efs apply` makes: their tags, folders and client tokens, and how one is
//! recognised.
//!
//! It makes no call. Names of others are never believed alone: an access point counts only if its
//! file system, its folder and its user are those that we would give it.

use std::collections::BTreeMap;

use fargate_aws::{AccessPointShape, EfsAccessPoint, NewAccessPoint};
use fargate_config::StorageVolume;
use sha2::{Digest, Sha256};

/// The tag with the volume's name.
pub const VOLUME_TAG: &str = "fargate-runner:volume";
/// The tag with the project, in lower case.
pub const PROJECT_TAG: &str = "fargate-runner:project";
/// The tag with the protection level.
pub const PROTECTION_TAG: &str = "fargate-runner:protection";
/// The beginning of all our tags.
const OUR_TAGS: &str = "fargate-runner:";
/// The tag that the console shows as the name.
const NAME_TAG: &str = "Name";
/// Longest value of a tag, in characters. Source: Amazon EFS API Reference, `Tag`.
const MAX_TAG_VALUE: usize = 256;

/// Longest path of a project, in bytes. Source: GitLab, 255 characters for a full path.
const MAX_PROJECT: usize = 255;

/// Digits of the project's hash in a folder's name: the path of a project may be longer than a folder
/// of an access point, 100 characters and 4 levels. Source: Amazon EFS API Reference, `RootDirectory`.
const HASH_BYTES: usize = 8;
/// Digits of a client token. Source: Amazon EFS API Reference, `CreateAccessPoint`: at most 64.
const TOKEN_BYTES: usize = 32;

/// Whether the jobs that share a folder run on protected refs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProtectionLevel {
    /// Protected branches and tags.
    Protected,
    /// All other refs.
    Unprotected,
}

impl ProtectionLevel {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Protected, Self::Unprotected];

    /// The level of a job.
    #[must_use]
    pub fn of(is_protected: bool) -> Self {
        if is_protected { Self::Protected } else { Self::Unprotected }
    }

    /// How tags and folders write it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Protected => "protected",
            Self::Unprotected => "unprotected",
        }
    }
}

/// Whose folder it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FolderOwner {
    /// All jobs of the profiles that name the volume.
    Everyone,
    /// The jobs of one project at one protection level.
    Project {
        /// The project's path, in lower case.
        project: String,
        /// The level.
        protection: ProtectionLevel,
    },
}

impl std::fmt::Display for FolderOwner {
    /// In words, to stand after "for".
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Everyone => f.write_str("all jobs"),
            Self::Project { project, protection } => {
                write!(f, "the {} refs of {project}", protection.word())
            }
        }
    }
}

/// One access point that `efs apply` makes, or has made, for a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeAccessPoint {
    /// The volume's name.
    pub volume: String,
    /// Whose folder it is.
    pub owner: FolderOwner,
    mode: String,
    shape: AccessPointShape,
}

impl MadeAccessPoint {
    /// The access point of this volume for `owner`. A project's path counts in lower case.
    #[must_use]
    pub fn new(volume: &StorageVolume, owner: FolderOwner) -> Self {
        let folder = format!("{}/{}", volume.folder.trim_end_matches('/'), volume.name);
        let mut tags = BTreeMap::from([
            (VOLUME_TAG.to_owned(), volume.name.clone()),
            (NAME_TAG.to_owned(), format!("fargate-runner {}", volume.name)),
        ]);
        let (owner, root) = match owner {
            FolderOwner::Everyone => (FolderOwner::Everyone, folder),
            FolderOwner::Project { project, protection } => {
                let (project, word) = (project.to_lowercase(), protection.word());
                let name = format!("fargate-runner {} {project} {word}", volume.name);
                tags.insert(NAME_TAG.to_owned(), name.chars().take(MAX_TAG_VALUE).collect());
                tags.insert(PROJECT_TAG.to_owned(), project.clone());
                tags.insert(PROTECTION_TAG.to_owned(), word.to_owned());
                let root = format!("{folder}/{}/{word}", hash(&project));
                (FolderOwner::Project { project, protection }, root)
            }
        };
        Self {
            volume: volume.name.clone(),
            owner,
            mode: volume.mode.clone(),
            shape: AccessPointShape {
                file_system: volume.file_system.clone(),
                root,
                user: Some((volume.uid, volume.gid)),
                further_groups: Vec::new(),
                tags,
            },
        }
    }

    /// The access point of this volume for some project; `None` if `point` is another one.
    #[must_use]
    pub fn of_some_project(volume: &StorageVolume, point: &EfsAccessPoint) -> Option<Self> {
        let project = point.shape.tags.get(PROJECT_TAG)?.clone();
        let word = point.shape.tags.get(PROTECTION_TAG)?;
        let protection = ProtectionLevel::ALL.into_iter().find(|level| level.word() == word)?;
        let made = Self::new(volume, FolderOwner::Project { project, protection });
        made.is(point).then_some(made)
    }

    /// The folder of the file system that it shows.
    #[must_use]
    pub fn root(&self) -> &str {
        &self.shape.root
    }

    /// What EFS is asked to make. The client token follows from all that the access point is, so that a
    /// repeated call makes no second one.
    #[must_use]
    pub fn to_make(&self) -> NewAccessPoint {
        let (uid, gid) = self.shape.user.unwrap_or_default();
        let mut parts = vec![self.shape.file_system.clone(), self.shape.root.clone()];
        parts.extend([uid.to_string(), gid.to_string(), self.mode.clone()]);
        parts.extend(self.shape.tags.iter().map(|(key, value)| format!("{key}={value}")));
        let mut digest = Sha256::new();
        for part in parts {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        NewAccessPoint {
            client_token: hex::encode(&digest.finalize()[..TOKEN_BYTES]),
            shape: self.shape.clone(),
            mode: self.mode.clone(),
        }
    }

    /// Whether it is this one, whatever its state: our tags and no others of ours, the same file system,
    /// folder and user.
    #[must_use]
    pub fn is(&self, found: &EfsAccessPoint) -> bool {
        let AccessPointShape { file_system, root, user, further_groups, .. } = &found.shape;
        self.has_our_tags(found)
            && *file_system == self.shape.file_system
            && *root == self.shape.root
            && *user == self.shape.user
            && further_groups.is_empty()
    }

    /// Whether it has the tags of this one, whatever folder it shows.
    #[must_use]
    pub fn has_our_tags(&self, found: &EfsAccessPoint) -> bool {
        ours(&self.shape.tags).eq(ours(&found.shape.tags))
    }
}

/// Whose folder an access point says it is, by its tags alone. They are only a first guess: whether it is
/// believed is asked with [`MadeAccessPoint::is`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnTags<'a> {
    /// The project.
    pub project: &'a str,
    /// The level.
    pub protection: ProtectionLevel,
}

impl<'a> OwnTags<'a> {
    /// The tags of an access point for a project.
    pub fn of(found: &'a EfsAccessPoint) -> Option<Self> {
        let tag = |key: &str| found.shape.tags.get(key).map(String::as_str);
        let level = tag(PROTECTION_TAG)?;
        let protection = ProtectionLevel::ALL.into_iter().find(|one| one.word() == level)?;
        let project = tag(PROJECT_TAG).filter(|project| is_project_path(project))?;
        Some(Self { project, protection })
    }
}

/// The tags that are ours. The name for people is not.
fn ours(tags: &BTreeMap<String, String>) -> impl Iterator<Item = (&String, &String)> {
    tags.iter().filter(|(key, _)| key.starts_with(OUR_TAGS))
}

/// Whether it is the path of a project: names with slashes between them. It becomes part of a command
/// that a person is shown.
#[must_use]
pub fn is_project_path(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_-.".contains(&b);
    let is_name = |part: &str| {
        !part.is_empty()
            && !part.starts_with('-')
            && part.bytes().any(|b| b != b'.')
            && part.bytes().all(allowed)
    };
    text.contains('/') && text.len() <= MAX_PROJECT && text.split('/').all(is_name)
}

fn hash(project: &str) -> String {
    hex::encode(&Sha256::digest(project)[..HASH_BYTES])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn volume() -> StorageVolume {
        let text = "config_version = 1\n[defaults]\ncluster = \"ci\"\nsubnets = [\"subnet-0a1\"]\n\
                    security_groups = [\"sg-0a1\"]\nimage = \"image:1\"\ntask_role = \"ci-task\"\n\
                    volumes = [\"volume-with-a-name-of-32-letters\"]\n\
                    [volume.volume-with-a-name-of-32-letters]\nfile_system = \"fs-0a1b2c3d\"\n\
                    path = \"/cache\"\nseparation = \"project\"\n";
        let loaded = fargate_config::parse(
            text,
            std::path::Path::new("config.toml"),
            fargate_config::UnknownKeyPolicy::Warn,
        );
        let profile = loaded.expect("the file is right").config.profile(None);
        profile.expect("there is one profile").storage.remove(0)
    }

    fn of(project: &str, protection: ProtectionLevel) -> MadeAccessPoint {
        let owner = FolderOwner::Project { project: project.to_owned(), protection };
        MadeAccessPoint::new(&volume(), owner)
    }

    proptest! {
        #[test]
        fn every_folder_is_one_that_efs_takes_and_no_two_projects_share_one(
            one in "[a-z]{1,20}/[a-z/._-]{1,200}[a-z]",
            other in "[a-z]{1,20}/[a-z/._-]{1,200}[a-z]",
        ) {
            let [of_one, of_other] = [&one, &other].map(|path| of(path, ProtectionLevel::Protected));
            prop_assert!(of_one.root().len() <= 100 && of_one.root().matches('/').count() <= 4);
            prop_assert_eq!(of_one.root() == of_other.root(), one == other);
            let token = of_one.to_make().client_token;
            prop_assert!(token.len() == 64 && token != of(&one, ProtectionLevel::Unprotected).to_make().client_token);
            prop_assert_eq!(&token, &of(&one.to_uppercase(), ProtectionLevel::Protected).to_make().client_token);
        }
    }
}
