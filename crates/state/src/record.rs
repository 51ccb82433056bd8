//! The content of a job's state file.
//!
//! It reads and writes one file. When that may happen is decided in `folder` and `record_writer`.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::Path;

use fargate_files as files;
use fargate_model::cause::CauseReport;
use fargate_model::id::{RandomToken, TaskArn, TaskOwner};
use fargate_model::job::JobKey;
use serde::{Deserialize, Deserializer, Serialize};
use zeroize::Zeroizing;

use crate::StateError;
use crate::kept_task::KeptTask;
use crate::launch_request::LaunchRequest;
use crate::runner_process::RunnerProcess;
use crate::version;

/// Who asked for the task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskOrigin {
    /// A job of GitLab.
    Gitlab,
    /// A person, with `exec`.
    Exec,
}

/// The part whose form never changes between versions, so that every version can clean up with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskLocation {
    /// The cluster's name or ARN.
    #[serde(default)]
    pub cluster: String,
    /// The Region.
    #[serde(default)]
    pub region: String,
    /// The endpoint of the calls if it is not AWS's own, for people.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// The task that was started last.
    #[serde(default)]
    pub task: Option<TaskArn>,
}

/// The server that answers in the task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskServer {
    /// Our agent, with its name and version. Later sessions never use a weaker server.
    Agent(String),
    /// A stock SSH server, with the name that it tells.
    Sshd(String),
}

/// The profile under which a job runs, so that all its stages agree although the configuration may
/// change in between.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedProfile {
    /// Its name; `None` for `[defaults]`.
    #[serde(default)]
    pub name: Option<String>,
    /// The role that is assumed before any call to AWS.
    #[serde(default)]
    pub role_arn: Option<String>,
    /// What the role's trust policy asks for.
    #[serde(default)]
    pub role_external_id: Option<String>,
    /// The name of the role's session.
    #[serde(default)]
    pub role_session_name: Option<String>,
}

/// A secret text. `Debug` does not show it, and dropping it wipes it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretString(Zeroizing<String>);

impl SecretString {
    /// Makes one.
    #[must_use]
    pub fn new(text: Zeroizing<String>) -> Self {
        Self(text)
    }

    /// The text, for its one purpose.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// One job, from its first launch to its clean-up.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JobRecord {
    /// [`WRITES`](crate::version::WRITES) of the version that began it.
    pub schema: u64,
    /// Who asked for the task.
    pub origin: TaskOrigin,
    /// The part that every version needs.
    #[serde(rename = "core")]
    pub location: TaskLocation,
    /// The name of the host.
    pub owner: TaskOwner,
    /// The job's key.
    pub job: JobKey,
    /// The job's id on its forge, for people.
    pub job_id: String,
    /// The number of the `prepare` that wrote it, from 1.
    pub attempt: u32,
    /// The process that prepares the job. Writes of any other are refused.
    pub prepared_by: RandomToken,
    /// All launches, including those whose result is not known.
    pub launches: Vec<LaunchRequest>,
    /// The private key for the login to the task, in OpenSSH's format.
    pub client_key: SecretString,
    /// The host key that the task must show, as one line of OpenSSH. Empty until the first use.
    pub host_key: String,
    /// The user name for the login.
    pub user: String,
    /// The server that answered. `None` until one did.
    pub peer: Option<TaskServer>,
    /// The address at which it answered.
    pub address: Option<SocketAddr>,
    /// When the task ends itself, in seconds since 1970.
    pub deadline_unix_s: u64,
    /// Whether `prepare` is done.
    pub ready: bool,
    /// The shell that `config` announced.
    pub shell: String,
    /// Why this try failed for a lasting reason, if it did.
    #[serde(default, deserialize_with = "known")]
    pub failure: Option<CauseReport>,
    /// The process that calls the stages, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manager: Option<RunnerProcess>,
    /// The profile that `prepare` chose. A version that chose none by the job left it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<RecordedProfile>,
    /// Whether the server in the task can wipe it, so that it may be kept after a failure.
    #[serde(default)]
    pub can_keep: bool,
    /// For how many seconds the task is kept if the job fails. `None` keeps it not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_s: Option<u64>,
    /// Set once the job is over and its task is kept for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<KeptTask>,
    /// Fields of other versions. They are kept unchanged.
    #[serde(flatten)]
    pub others: BTreeMap<String, serde_json::Value>,
}

impl JobRecord {
    /// Reads a state file. Returns `None` if there is none.
    ///
    /// # Errors
    ///
    /// Returns [`StateError`] if the file cannot be read, is damaged, is not trusted, or is from a
    /// newer version. It never panics, whatever the file holds.
    pub fn read(path: &Path) -> Result<Option<Self>, StateError> {
        files::read(path)?.map(|bytes| Self::parse(path, &bytes)).transpose()
    }

    fn parse(path: &Path, bytes: &[u8]) -> Result<Self, StateError> {
        let damaged = |what: String| StateError::Damaged { path: path.to_owned(), what };
        let value: serde_json::Value = serde_json::from_slice(bytes)
            .map_err(|error| damaged(format!("not JSON at line {}", error.line())))?;
        let schema = value.get("schema").and_then(serde_json::Value::as_u64);
        match schema {
            Some(schema) if schema > version::this().reads => {
                let location = value.get("core").cloned().unwrap_or_default();
                let location: TaskLocation = serde_json::from_value(location).unwrap_or_default();
                Err(StateError::Newer {
                    path: path.to_owned(),
                    schema,
                    location: Box::new(location),
                })
            }
            Some(_) => {
                // The message names fields, but never their values.
                let record: Self =
                    serde_json::from_value(value).map_err(|error| damaged(field_error(&error)))?;
                if record.location.cluster.is_empty() || record.location.region.is_empty() {
                    return Err(damaged("no cluster and Region in its location".to_owned()));
                }
                Ok(record)
            }
            None => Err(damaged("no schema".to_owned())),
        }
    }

    /// Removes what nobody needs once the task can no longer be used: the key, and the variables of
    /// launches whose task is known.
    pub(crate) fn forget_secrets(&mut self) {
        self.ready = false;
        self.kept = None;
        self.client_key = SecretString::new(Zeroizing::default());
        self.launches.iter_mut().for_each(LaunchRequest::forget_variables);
    }

    /// Adds try and task to all later lines of the operator's log.
    pub fn note_in_log(&self) {
        let span = tracing::Span::current();
        span.record("attempt", self.attempt);
        if let Some(task) = &self.location.task {
            span.record("task", tracing::field::display(task));
        }
    }

    /// Writes the file. The caller holds the job's lock.
    ///
    /// # Errors
    ///
    /// Returns [`StateError::Disk`] if the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), StateError> {
        let bytes = Zeroizing::new(
            serde_json::to_vec(self).expect("a record holds nothing that JSON cannot"),
        );
        Ok(files::write(path, &bytes)?)
    }
}

/// A cause that only another version knows counts as none. It would only save time.
pub(crate) fn known<'de, D: Deserializer<'de>>(given: D) -> Result<Option<CauseReport>, D::Error> {
    let value = serde_json::Value::deserialize(given)?;
    Ok(serde_json::from_value(value).unwrap_or_default())
}

/// Serde's message may quote a value, so only the part about the form is kept.
fn field_error(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.split_once(": ") {
        Some((kind @ ("invalid type" | "invalid value"), _)) => format!("a field of {kind}"),
        _ if text.starts_with("missing field") => text,
        _ => "a field that is not as it was written".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::record_of;

    fn arn() -> TaskArn {
        TaskArn("arn:aws:ecs:eu-west-1:1:task/ci/abc".to_owned())
    }

    #[test]
    fn a_file_cut_or_changed_anywhere_is_an_error_and_repeats_no_secret() {
        let whole = serde_json::to_vec(&record_of(&arn())).unwrap();
        let parse = |bytes: &[u8]| JobRecord::parse(Path::new("job.json"), bytes);
        for length in 0..whole.len() {
            let error = parse(&whole[..length]).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
        }
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 0x15;
            if let Err(error) = parse(&changed) {
                assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
            }
        }
    }

    #[test]
    fn fields_of_another_version_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("job.json");
        let mut value = serde_json::to_value(record_of(&arn())).unwrap();
        value["warm_pool"] = "yes".into();
        std::fs::write(&path, value.to_string()).unwrap();
        let record = JobRecord::read(&path).unwrap().unwrap();
        record.write(&path).unwrap();
        let again: serde_json::Value =
            serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(again["warm_pool"], "yes");
    }

    #[test]
    fn a_file_of_the_first_version_is_read_by_every_later_one() {
        // A file that version 0.1.0 wrote. A field that it lacks must have a default.
        let record = JobRecord::parse(Path::new("job.json"), include_bytes!("record_0_1_0.json"));
        let record = record.unwrap();
        assert_eq!((record.job_id.as_str(), record.ready), ("gl-4411", true));
        assert_eq!(record.launches.len(), 1);
        assert_eq!(record.peer, Some(TaskServer::Agent("fargate-agent 0.1.0".to_owned())));
    }

    #[test]
    fn a_failure_that_only_another_version_knows_is_none() {
        let mut value = serde_json::to_value(record_of(&arn())).unwrap();
        value["failure"] = serde_json::json!({ "cause": "cause-of-tomorrow", "facts": 5 });
        let record = JobRecord::parse(Path::new("job.json"), value.to_string().as_bytes()).unwrap();
        assert_eq!(record.failure, None);
    }

    #[test]
    fn a_newer_schema_still_gives_what_is_needed_to_clean_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("job.json");
        let text = r#"{"schema": 9, "core": {"cluster": "ci", "region": "r", "task": "arn:x", "new": 1}, "x": []}"#;
        std::fs::write(&path, text).unwrap();
        let StateError::Newer { location, .. } = JobRecord::read(&path).unwrap_err() else {
            panic!("not newer")
        };
        assert_eq!(
            (location.cluster.as_str(), location.task),
            ("ci", Some(TaskArn("arn:x".into())))
        );
    }

    #[test]
    fn a_link_in_the_files_place_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("job.json"));
        record_of(&arn()).write(&real).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        assert!(matches!(JobRecord::read(&link), Err(StateError::Damaged { .. })));
    }

    #[test]
    fn the_debug_form_shows_no_key() {
        assert!(!format!("{:?}", record_of(&arn()).client_key).contains("canary"));
    }
}
