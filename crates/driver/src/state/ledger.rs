//! A job's record in the hands of the `prepare` that began it.

use super::StateError;
use super::folder::Folder;
use super::record::Record;
use crate::task::LaunchRequest;

/// See the module. Every change is on disk when its call returns.
#[derive(Clone, Debug)]
pub struct Ledger {
    folder: Folder,
    record: Record,
}

impl Ledger {
    /// Writes the first record of a `prepare`, in place of any former one.
    ///
    /// # Errors
    ///
    /// [`StateError`].
    pub fn begin(folder: &Folder, record: Record) -> Result<Self, StateError> {
        folder.put(&record)?;
        record.note_in_log();
        Ok(Self { folder: folder.clone(), record })
    }

    /// What was written last.
    #[must_use]
    pub fn record_now(&self) -> &Record {
        &self.record
    }

    /// Writes a launch down, or what became of it.
    ///
    /// # Errors
    ///
    /// [`StateError::TakenOver`] if the job is not ours any more.
    pub fn record(&mut self, launch: &LaunchRequest) -> Result<(), StateError> {
        self.update(|record| {
            match record.launches.iter_mut().find(|known| known.token == launch.token) {
                Some(known) => *known = launch.clone(),
                None => record.launches.push(launch.clone()),
            }
            // Settled launches that started nothing are of no use to anybody.
            record.launches.retain(|known| !known.settled || known.task.is_some());
            if launch.task.is_some() {
                record.core.task.clone_from(&launch.task);
            }
        })
    }

    /// Changes the record.
    ///
    /// # Errors
    ///
    /// [`StateError::TakenOver`] if the job is not ours any more.
    pub fn update(&mut self, change: impl FnOnce(&mut Record)) -> Result<(), StateError> {
        let (key, prepared_by) = (self.record.job.clone(), self.record.prepared_by.clone());
        self.record = self.folder.update(&key, &prepared_by, change)?;
        self.record.note_in_log();
        Ok(())
    }
}
