//! Whether a host is idle: no job is left on it, and none is being prepared.

use std::time::Duration;

use fargate_driver::state::{Folder, Known, StateError};
use fargate_model::job::JobKey;
use tokio::time::{Instant, sleep_until};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(500);

/// A job that is on the host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Job {
    /// Its id on its forge, or the beginning of its key where only that is known.
    pub name: String,
}

/// All jobs on the host, whose stages or whose clean-up are still to come. A job whose `prepare` waits
/// for its turn is none.
///
/// # Errors
///
/// [`StateError::Disk`].
pub fn jobs(folder: &Folder) -> Result<Vec<Job>, StateError> {
    // In this order: a `prepare` that ends between the two looks has left its record.
    let mut keys = folder.preparing()?;
    keys.extend(folder.keys()?);
    keys.sort_by(|a, b| a.as_str().cmp(b.as_str()));
    keys.dedup();
    let mut jobs: Vec<Job> = keys.iter().map(|key| Job { name: name(folder, key) }).collect();
    jobs.sort();
    Ok(jobs)
}

fn name(folder: &Folder, key: &JobKey) -> String {
    match folder.known(key) {
        Known::Record(record) => record.job_id,
        Known::Nothing | Known::Buried | Known::Preparing | Known::Unreadable { .. } => {
            key.as_str().chars().take(8).collect()
        }
    }
}

/// Waits until no job is left; those that are, once `within` is over. `told` hears of each look.
///
/// # Errors
///
/// [`StateError::Disk`].
pub async fn wait(
    folder: &Folder,
    within: Duration,
    told: &mut dyn FnMut(&[Job]),
) -> Result<Vec<Job>, StateError> {
    let deadline = Instant::now() + within;
    loop {
        let jobs = jobs(folder)?;
        if jobs.is_empty() || Instant::now() >= deadline {
            return Ok(jobs);
        }
        told(&jobs);
        sleep_until((Instant::now() + LOOK).min(deadline)).await;
    }
}
