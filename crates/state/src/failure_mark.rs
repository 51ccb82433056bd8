//! A mark beside a job's record, which says that a script of the job failed, so that the clean-up may
//! keep the task for a person.
//!
//! `run` writes it, because only `prepare` and `cleanup` write the record. It holds no secret, and it is
//! removed with the record. If it is lost, the task is stopped as after every other job.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use fargate_files as files;
use fargate_files::FileError;
use fargate_model::id::TaskArn;
use fargate_model::job::JobKey;
use nix::fcntl::OFlag;
use serde::{Deserialize, Serialize};

use crate::{JobRecord, StateError, StateFolder};

/// A script that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureMark {
    /// The task in which it ran.
    pub task: TaskArn,
    /// The stage of the script, as gitlab-runner names it.
    pub stage: String,
    /// When it failed, in seconds since 1970.
    pub failed_unix_s: u64,
    /// The deadline that the task's tag has got for it, in seconds since 1970.
    pub tagged_until_unix_s: Option<u64>,
    /// Whether the job's log said already that the task is not kept.
    #[serde(default)]
    pub is_declined: bool,
}

impl StateFolder {
    fn failure_path(&self, key: &JobKey) -> PathBuf {
        self.record_path(key).with_extension("failed")
    }

    /// The mark of a failure in the task of `record`.
    #[must_use]
    pub fn failure_mark(&self, record: &JobRecord) -> Option<FailureMark> {
        let bytes = files::read(&self.failure_path(&record.job)).ok().flatten()?;
        let mark: FailureMark = serde_json::from_slice(&bytes).ok()?;
        (record.location.task.as_ref() == Some(&mark.task)).then_some(mark)
    }

    /// Notes that a script of the job failed, unless the job was cleaned up or prepared again.
    ///
    /// # Errors
    ///
    /// Returns [`StateError`] if the mark cannot be written.
    pub async fn mark_failure(&self, key: &JobKey, mark: &FailureMark) -> Result<(), StateError> {
        let _lock = self.lock(key).await?;
        let now = JobRecord::read(&self.record_path(key))?;
        if now.is_none_or(|now| now.location.task.as_ref() != Some(&mark.task)) {
            return Ok(());
        }
        let bytes = serde_json::to_vec(mark).expect("a mark holds nothing that JSON cannot");
        let path = self.failure_path(key);
        // There is no need to sync or to rename: half a mark counts as none.
        let put = || {
            let mut file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .custom_flags(OFlag::O_NOFOLLOW.bits())
                .open(&path)?;
            file.write_all(&bytes)
        };
        Ok(put().map_err(FileError::disk("writing", &path))?)
    }

    /// Removes the mark: the stage passed at a later try, the job was cancelled, or its record is gone.
    pub fn remove_failure_mark(&self, key: &JobKey) {
        // If the mark cannot be removed, it names a task that no later record names.
        let _ = std::fs::remove_file(self.failure_path(key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::JobRecordWriter;
    use crate::examples::{empty_folder, some_record};

    #[tokio::test]
    async fn a_failure_counts_for_the_task_of_its_record_and_goes_with_it() {
        let (root, folder) = empty_folder();
        let record = some_record();
        JobRecordWriter::begin(&folder, record.clone()).await.unwrap();
        let mark = FailureMark {
            task: record.location.task.clone().unwrap(),
            stage: "build_script".to_owned(),
            failed_unix_s: 7,
            tagged_until_unix_s: None,
            is_declined: false,
        };
        let other = FailureMark { task: TaskArn("arn:of-another".to_owned()), ..mark.clone() };
        folder.mark_failure(&record.job, &other).await.unwrap();
        assert_eq!(folder.failure_mark(&record), None);
        folder.mark_failure(&record.job, &mark).await.unwrap();
        assert_eq!(folder.failure_mark(&record), Some(mark.clone()));
        folder.bury(&record.job, Some(&record)).await.unwrap();
        assert_eq!(std::fs::read_dir(root.path().join("jobs")).unwrap().count(), 0);
        folder.mark_failure(&record.job, &mark).await.unwrap();
        assert_eq!(folder.failure_mark(&record), None);
    }
}
