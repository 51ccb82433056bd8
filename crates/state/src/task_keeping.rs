//! How the record of a job says that its task is kept, or is to be kept if the job fails.
//!
//! It wipes and keeps nothing itself.

use std::time::Duration;

use crate::StateError;
use crate::folder::StateFolder;
use crate::kept_task::KeptTask;
use crate::record::JobRecord;

impl StateFolder {
    /// Notes in a record that was taken over that its task is kept. The keys for the login stay; the
    /// variables of its launches are removed.
    ///
    /// # Errors
    ///
    /// Returns [`StateError::TakenOver`] if another process has taken the job over, or another error if
    /// the record cannot be written.
    pub async fn keep_task(&self, taken: &JobRecord, kept: KeptTask) -> Result<(), StateError> {
        let keep = |record: &mut JobRecord| {
            record.kept = Some(kept);
            record.deadline_unix_s = kept.keep_until_unix_s;
            record.launches.iter_mut().for_each(|launch| launch.forget_variables());
        };
        self.update(&taken.job, &taken.prepared_by, keep).await.map(drop)
    }

    /// Sets for how long the task of a job is kept if the job fails. The job must be as it was `seen`.
    ///
    /// # Errors
    ///
    /// Returns [`StateError::TakenOver`] if the job is not the one that was seen any more, or is over.
    pub async fn set_hold(&self, seen: &JobRecord, hold: Duration) -> Result<(), StateError> {
        let runs = |now: &JobRecord| now.ready && now.location.task == seen.location.task;
        let set = |record: &mut JobRecord| record.hold_s = Some(hold.as_secs());
        self.update_if(&seen.job, &seen.prepared_by, runs, set).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::JobRecordWriter;
    use crate::examples::{empty_folder, some_record};

    #[tokio::test]
    async fn a_kept_record_has_its_key_until_it_is_buried_and_no_seed() {
        let (_root, folder) = empty_folder();
        let record = some_record();
        let key = record.job.clone();
        JobRecordWriter::begin(&folder, record.clone()).await.unwrap();
        folder.set_hold(&record, Duration::from_secs(60)).await.unwrap();
        let taken = folder.take_over(&key).await.unwrap().unwrap();
        assert_eq!(taken.hold_s, Some(60));
        let late = folder.set_hold(&record, Duration::from_secs(60)).await;
        assert!(matches!(late, Err(StateError::TakenOver)));
        let kept = KeptTask { keep_until_unix_s: 4_000_000_000 };
        folder.keep_task(&taken, kept).await.unwrap();
        let now = folder.record(&key).unwrap().unwrap();
        assert_eq!((now.kept, now.deadline_unix_s), (Some(kept), kept.keep_until_unix_s));
        assert!(now.client_key.expose().contains("canary"));
        assert!(now.launches[0].containers[0].environment.is_empty());
        folder.keep_undone(&now).await.unwrap();
        let undone = folder.record(&key).unwrap().unwrap();
        assert!(undone.kept.is_none() && undone.client_key.expose().is_empty());
    }
}
