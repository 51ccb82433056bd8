//! The identity of a job, and the key by which its task, files and tags are found.
//!
//! It is taken from the response of the forge alone. Variables that a job can set are never read.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::id::IdError;

/// What identifies a job: the forge's host, the project and the job. It comes from the response
/// that the forge sent, and never from a variable that the job can set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobIdentity {
    /// The forge's host in lower case, with its port unless it is the default one.
    pub host: String,
    /// The project's id on that forge.
    pub project: u64,
    /// The job's id on that forge.
    pub job: u64,
}

impl JobIdentity {
    /// Takes the host from the URL of a repository. A login or password in the URL is dropped.
    ///
    /// # Errors
    ///
    /// Returns [`IdError`] if the URL has no host. The error does not repeat the URL, because it
    /// holds a token.
    pub fn from_repository(url: &str, project: u64, job: u64) -> Result<Self, IdError> {
        let refused =
            || IdError { given: "git_info.repo_url".into(), expected: "a URL with a host" };
        let url = url::Url::parse(url).map_err(|_| refused())?;
        let name = url.host_str().ok_or_else(refused)?.to_ascii_lowercase();
        let host = match url.port() {
            Some(port) => format!("{name}:{port}"),
            None => name,
        };
        Ok(Self { host, project, job })
    }

    /// The key that names this job's state file, tags and lock.
    #[must_use]
    pub fn key(&self) -> JobKey {
        let mut hash = Sha256::new();
        hash.update(self.host.as_bytes());
        hash.update([0]);
        hash.update(self.project.to_be_bytes());
        hash.update(self.job.to_be_bytes());
        JobKey(hex::encode(hash.finalize()))
    }
}

/// SHA-256 of a [`JobIdentity`], as 64 hexadecimal digits. It is safe as a file name and as a tag.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct JobKey(String);

impl JobKey {
    /// Makes a key from 32 random bytes, for a task that belongs to no job of a forge.
    #[must_use]
    pub fn from_bits(bits: [u8; 32]) -> Self {
        Self(hex::encode(bits))
    }

    /// The 64 digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for JobKey {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        if text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
            Ok(Self(text))
        } else {
            let given = crate::text::escape_within(&text, 80);
            Err(IdError { given, expected: "a job key of 64 hexadecimal digits" })
        }
    }
}

impl From<JobKey> for String {
    fn from(key: JobKey) -> Self {
        key.0
    }
}

impl fmt::Display for JobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_in_the_url_is_no_part_of_the_identity() {
        let one = "https://gitlab-ci-token:aaa@GitLab.example/group/project.git";
        let two = "https://gitlab-ci-token:bbb@gitlab.example:443/group/renamed.git";
        let one = JobIdentity::from_repository(one, 7, 4000).unwrap();
        let two = JobIdentity::from_repository(two, 7, 4000).unwrap();
        assert_eq!(one, two);
        assert_eq!(one.key(), two.key());
    }

    #[test]
    fn another_project_or_job_or_host_has_another_key() {
        let key = |url: &str, project, job| {
            JobIdentity::from_repository(url, project, job).unwrap().key()
        };
        let base = key("https://a.example/x.git", 1, 2);
        assert_ne!(base, key("https://b.example/x.git", 1, 2));
        assert_ne!(base, key("https://a.example:8443/x.git", 1, 2));
        assert_ne!(base, key("https://a.example/x.git", 2, 1));
    }

    #[test]
    fn a_url_without_a_host_is_refused_without_repeating_it() {
        let error = JobIdentity::from_repository("secret-token", 1, 2).unwrap_err();
        assert!(!error.to_string().contains("secret-token"));
    }
}
