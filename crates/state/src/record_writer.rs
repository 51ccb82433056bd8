//! A job's record, written by the `prepare` that began it.
//!
//! No other stage writes through it.

use fargate_model::cause::CauseReport;

use crate::StateError;
use crate::folder::StateFolder;
use crate::launch_request::LaunchRequest;
use crate::record::JobRecord;

/// Writes one record. Each change is on disk when the call returns.
#[derive(Clone, Debug)]
pub struct JobRecordWriter {
    folder: StateFolder,
    record: JobRecord,
}

impl JobRecordWriter {
    /// Writes the first record of a `prepare`. It replaces an older one.
    ///
    /// # Errors
    ///
    /// Returns [`StateError`] if the record cannot be written.
    pub async fn begin(folder: &StateFolder, record: JobRecord) -> Result<Self, StateError> {
        folder.put(&record).await?;
        record.note_in_log();
        Ok(Self { folder: folder.clone(), record })
    }

    /// The record as it was written last.
    #[must_use]
    pub fn record_now(&self) -> &JobRecord {
        &self.record
    }

    /// The folder of the record.
    #[must_use]
    pub fn folder(&self) -> &StateFolder {
        &self.folder
    }

    /// Writes a launch, or what became of it.
    ///
    /// # Errors
    ///
    /// Returns [`StateError::TakenOver`] if another process has taken the job over.
    pub async fn record(&mut self, launch: &LaunchRequest) -> Result<(), StateError> {
        self.update(|record| {
            match record.launches.iter_mut().find(|known| known.token == launch.token) {
                Some(known) => *known = launch.clone(),
                None => record.launches.push(launch.clone()),
            }
            // Nobody needs a settled launch that started nothing.
            record.launches.retain(|known| !known.settled || known.task.is_some());
            if launch.task.is_some() {
                record.location.task.clone_from(&launch.task);
            }
        })
        .await
    }

    /// Ends the record: everything was undone. `failure` is what the next try would meet again. No
    /// key stays after a `prepare` that failed, even if no clean-up follows.
    ///
    /// # Errors
    ///
    /// Returns [`StateError::TakenOver`] if another process has taken the job over.
    pub async fn bury(&mut self, failure: Option<CauseReport>) -> Result<(), StateError> {
        self.folder.bury_own(&self.record.job, &self.record.prepared_by, failure).await
    }

    /// Changes the record.
    ///
    /// # Errors
    ///
    /// Returns [`StateError::TakenOver`] if another process has taken the job over.
    pub async fn update(&mut self, change: impl FnOnce(&mut JobRecord)) -> Result<(), StateError> {
        let (key, prepared_by) = (self.record.job.clone(), self.record.prepared_by.clone());
        self.record = self.folder.update(&key, &prepared_by, change).await?;
        self.record.note_in_log();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::{empty_folder as folder, some_record as record};
    use fargate_model::id::RandomToken;

    #[tokio::test]
    async fn after_a_clean_up_the_former_prepare_writes_nothing_more() {
        let (_root, folder) = folder();
        let mut ledger = JobRecordWriter::begin(&folder, record()).await.unwrap();
        let key = ledger.record_now().job.clone();
        folder.bury(&key, Some(&record())).await.unwrap();
        let late = ledger.update(|record| record.ready = true).await;
        assert!(matches!(late, Err(StateError::TakenOver)));
        assert!(folder.record(&key).unwrap().is_none());
    }

    #[tokio::test]
    async fn a_late_clean_up_does_not_bury_the_next_prepare() {
        let (_root, folder) = folder();
        let former = record();
        let mut next = record();
        next.launches[0].token = RandomToken::from_bits([9; 16]);
        let key = next.job.clone();
        JobRecordWriter::begin(&folder, next).await.unwrap();
        folder.bury(&key, Some(&former)).await.unwrap();
        assert!(folder.record(&key).unwrap().is_some());
    }

    #[tokio::test]
    async fn a_prepare_whose_job_was_taken_over_cannot_write_a_launch_any_more() {
        let (_root, folder) = folder();
        let mut ledger = JobRecordWriter::begin(&folder, record()).await.unwrap();
        let key = ledger.record_now().job.clone();
        let seen = folder.take_over(&key).await.unwrap().unwrap();
        assert_eq!(seen.launches, record().launches);
        let mut another = record().launches.remove(0);
        another.token = RandomToken::from_bits([9; 16]);
        assert!(matches!(ledger.record(&another).await, Err(StateError::TakenOver)));
    }

    #[tokio::test]
    async fn what_is_kept_for_the_next_clean_up_holds_no_secret() {
        let (root, folder) = folder();
        JobRecordWriter::begin(&folder, record()).await.unwrap();
        folder.keep_undone(&record()).await.unwrap();
        let key = record().job;
        let path = root.path().join("jobs").join(format!("{key}.json"));
        let text = std::fs::read_to_string(path).unwrap();
        assert!(!text.contains("canary"), "{text}");
        assert_eq!(folder.record(&key).unwrap().unwrap().launches.len(), 1);
    }

    #[tokio::test]
    async fn a_tombstone_counts_tries_and_holds_no_secret() {
        let (root, folder) = folder();
        let key = record().job;
        for tries in 1..=3 {
            JobRecordWriter::begin(&folder, record()).await.unwrap();
            folder.bury(&key, Some(&record())).await.unwrap();
            folder.bury(&key, Some(&record())).await.unwrap();
            assert_eq!(folder.tombstone(&key).unwrap().tries, tries);
        }
        let path = root.path().join("tombstones").join(format!("{key}.json"));
        let text = std::fs::read_to_string(path).unwrap();
        assert!(!text.contains("canary") && !text.contains("10.0.0.7"), "{text}");
    }

    #[tokio::test]
    async fn a_launch_that_started_nothing_is_forgotten_and_an_open_one_is_not() {
        let (_root, folder) = folder();
        let mut ledger =
            JobRecordWriter::begin(&folder, JobRecord { launches: Vec::new(), ..record() })
                .await
                .unwrap();
        let mut launch = record().launches.remove(0);
        (launch.settled, launch.task) = (false, None);
        ledger.record(&launch).await.unwrap();
        assert_eq!(ledger.record_now().launches.len(), 1);
        launch.settled = true;
        ledger.record(&launch).await.unwrap();
        assert_eq!(ledger.record_now().launches.len(), 0);
    }

    #[tokio::test]
    async fn of_many_processes_one_name_of_the_host_is_kept() {
        let (_root, folder) = folder();
        let names: Vec<String> = std::thread::scope(|scope| {
            let owner = || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
                runtime.unwrap().block_on(folder.owner(None)).unwrap().owner.to_string()
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(owner)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(names.iter().all(|name| *name == names[0]), "{names:?}");
        assert!(!folder.owner(None).await.unwrap().is_new);
        assert_eq!(folder.owner(Some("ci-1")).await.unwrap().owner.as_str(), "ci-1");
    }
}
