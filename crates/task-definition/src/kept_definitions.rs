//! What this host knows of registered revisions: one small file for each content, which all its processes
//! read.
//!
//! A file is believed without a question to ECS. If the revision was deregistered, RunTask refuses it, and
//! the caller then drops the file. A file that cannot be read counts as none. Its time of change says when
//! this host last used the revision.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use fargate_config::JobProfile;
use fargate_events::{JobEvent, emit};
use fargate_files as files;
use fargate_files::FileError;
use fargate_state::{StateError, StateFolder};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::canonical::ContentHash;
use crate::ecs_definitions::{EcsDefinitions, family_of};

/// The time of use is exact to this.
const USE_NOTED: Duration = Duration::from_secs(3600);

/// The content of a file.
#[derive(Debug, Serialize, Deserialize)]
struct KeptDefinition {
    arn: String,
    content: String,
}

/// The files of one account and Region.
#[derive(Clone, Debug)]
pub struct KeptDefinitions {
    folder: PathBuf,
    account: String,
}

impl KeptDefinitions {
    /// The files in this state folder, for this account as the profile reaches it.
    ///
    /// # Errors
    ///
    /// Returns [`StateError`] if the folder cannot be made or is not trusted.
    pub fn open(
        folder: &StateFolder,
        profile: &JobProfile,
        ecs: &EcsDefinitions,
    ) -> Result<Self, StateError> {
        let role = profile.assume_role_arn.as_deref().unwrap_or_default();
        let account = format!("{} {} {role}", ecs.region(), ecs.endpoint());
        Ok(Self { folder: folder.definitions()?, account })
    }

    /// The account and Region, and how they are reached.
    pub(crate) fn account(&self) -> &str {
        &self.account
    }

    fn path(&self, family: &str, content: &str) -> PathBuf {
        let name = Sha256::digest(format!("{} {family} {content}", self.account));
        self.folder.join(format!("{}.json", hex::encode(&name[..16])))
    }

    /// The ARN of the revision with this content, if this host knows one. Its use is noted.
    #[must_use]
    pub fn arn(&self, family: &str, content: &ContentHash) -> Option<String> {
        let path = self.path(family, content.as_str());
        let kept = match files::read(&path) {
            Ok(bytes) => serde_json::from_slice::<KeptDefinition>(&bytes?),
            Err(error) => {
                let message = error.to_string();
                emit(match error {
                    FileError::Distrusted { .. } => JobEvent::StateDistrusted { message },
                    _ => JobEvent::StateDamaged { message },
                });
                return None;
            }
        };
        let kept = kept.ok().filter(|kept| {
            kept.content == content.as_str() && family_of(&kept.arn) == Some(family)
        })?;
        if self.last_used(family, content.as_str()).is_none_or(is_past) {
            let noted = std::fs::File::options().write(true).open(&path);
            // Without it, the revision only looks unused a little earlier.
            let _ = noted.and_then(|file| file.set_modified(SystemTime::now()));
        }
        Some(kept.arn)
    }

    /// Keeps the ARN of a revision. The caller holds the lock of the definitions.
    pub fn keep(&self, family: &str, content: &ContentHash, arn: &str) {
        let kept = KeptDefinition { arn: arn.to_owned(), content: content.to_string() };
        let bytes = serde_json::to_vec(&kept).expect("two texts are JSON");
        if let Err(error) = files::write(&self.path(family, content.as_str()), &bytes) {
            emit(JobEvent::StateNotWritten { message: error.to_string() });
        }
    }

    /// Drops what is known of a content, if it is this revision.
    pub fn forget(&self, family: &str, content: &str, arn: &str) {
        let path = self.path(family, content);
        let bytes = files::read(&path).ok().flatten().unwrap_or_default();
        let kept = serde_json::from_slice::<KeptDefinition>(&bytes);
        if kept.is_ok_and(|kept| kept.arn == arn) {
            let _ = files::remove(&path);
        }
    }

    /// When a process of this host last used the content.
    #[must_use]
    pub fn last_used(&self, family: &str, content: &str) -> Option<SystemTime> {
        std::fs::symlink_metadata(self.path(family, content)).ok()?.modified().ok()
    }
}

fn is_past(used: SystemTime) -> bool {
    used.elapsed().is_ok_and(|since| since > USE_NOTED)
}
