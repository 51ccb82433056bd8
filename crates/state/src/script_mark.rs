//! A mark beside a job's record, which says that a script of the job may have run in the record's
//! task.
//!
//! `run` writes it, because only `prepare` and `cleanup` write the record. It holds the task's ARN
//! and no secret, and it is removed with the record. If it is lost, no right verdict changes: an
//! end of the task then counts as nobody's fault.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use fargate_files as files;
use fargate_files::FileError;
use fargate_model::job::JobKey;
use nix::fcntl::OFlag;

use crate::{JobRecord, StateError, StateFolder};

impl StateFolder {
    pub(crate) fn mark_path(&self, key: &JobKey) -> PathBuf {
        self.record_path(key).with_extension("ran")
    }

    /// Whether a script of the job may have run in the task of `record`.
    #[must_use]
    pub fn has_script_mark(&self, record: &JobRecord) -> bool {
        let Some(task) = &record.location.task else { return false };
        let mark = files::read(&self.mark_path(&record.job));
        mark.ok().flatten().is_some_and(|mark| mark == task.0.as_bytes())
    }

    /// Notes that a script of the job is about to be sent to the task of `record`, unless the job
    /// was cleaned up or prepared again.
    ///
    /// # Errors
    ///
    /// Returns [`StateError`] if the job was taken over or the mark cannot be written.
    pub async fn mark_script(&self, record: &JobRecord) -> Result<(), StateError> {
        let _lock = self.lock(&record.job).await?;
        let now = JobRecord::read(&self.record_path(&record.job))?;
        let (Some(now), Some(task)) = (now, &record.location.task) else { return Ok(()) };
        if now.location.task.as_ref() != Some(task) {
            return Ok(());
        }
        let path = self.mark_path(&record.job);
        // There is no need to sync: a host that loses the file also loses the job's processes.
        let put = || {
            let mut file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .custom_flags(OFlag::O_NOFOLLOW.bits())
                .open(&path)?;
            file.write_all(task.0.as_bytes())
        };
        Ok(put().map_err(FileError::disk("writing", &path))?)
    }

    /// Removes the mark: the script did not start after all, or its record is gone. The caller need
    /// not hold the job's lock, because the next process that writes a mark has not sent its script
    /// yet.
    pub fn remove_script_mark(&self, key: &JobKey) {
        // If the mark cannot be removed, it names a task that no later record names.
        let _ = std::fs::remove_file(self.mark_path(key));
    }
}

#[cfg(test)]
mod tests {
    use crate::JobRecordWriter;
    use crate::examples::{empty_folder, some_record};
    use fargate_model::id::TaskArn;

    #[tokio::test]
    async fn a_mark_counts_for_the_task_of_its_record_and_goes_with_it() {
        let (root, folder) = empty_folder();
        let record = some_record();
        JobRecordWriter::begin(&folder, record.clone()).await.unwrap();
        assert!(!folder.has_script_mark(&record));
        folder.mark_script(&record).await.unwrap();
        assert!(folder.has_script_mark(&record));
        let mut other = record.clone();
        other.location.task = Some(TaskArn("arn:of-another".to_owned()));
        assert!(!folder.has_script_mark(&other));
        folder.bury(&record.job, Some(&record)).await.unwrap();
        assert_eq!(root.path().join("jobs").read_dir().unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_late_run_leaves_no_mark_beside_a_record_that_is_gone() {
        let (root, folder) = empty_folder();
        let record = some_record();
        folder.mark_script(&record).await.unwrap();
        assert_eq!(root.path().join("jobs").read_dir().unwrap().count(), 0);
        // A mark that a crash left behind is removed by the job's next clean-up.
        std::fs::write(folder.mark_path(&record.job), "arn").unwrap();
        folder.sweep(&record.job, std::time::Duration::ZERO).await;
        assert_eq!(root.path().join("jobs").read_dir().unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_new_prepare_begins_without_a_mark() {
        let (_root, folder) = empty_folder();
        let record = some_record();
        JobRecordWriter::begin(&folder, record.clone()).await.unwrap();
        folder.mark_script(&record).await.unwrap();
        JobRecordWriter::begin(&folder, record.clone()).await.unwrap();
        assert!(!folder.has_script_mark(&record));
    }
}
