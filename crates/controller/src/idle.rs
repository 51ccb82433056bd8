//! Whether a host is idle: no job is left on it, and none is being prepared.
//!
//! It only looks. It neither holds new jobs nor ends old ones.

use std::path::PathBuf;
use std::time::Duration;

use fargate_model::job::JobKey;
use fargate_state::{JobAdmission, RecordState, StateError, StateFolder};
use tokio::time::{Instant, sleep_until};

/// Time between two looks.
const LOOK: Duration = Duration::from_millis(500);

/// A job on the host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostJob {
    /// The job's id on its forge, or the beginning of its key if nothing else is known.
    pub name: String,
    /// Why the record cannot be read. Then nothing ends the job by itself.
    pub unread: Option<UnreadableRecord>,
}

/// A record that this version cannot read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum UnreadableRecord {
    /// The file is damaged.
    Damaged(PathBuf),
    /// A newer version wrote it.
    Newer,
}

/// How a wait for an idle host ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DrainOutcome {
    /// No job is left, and new jobs are still held.
    Idle,
    /// The time is over, and these jobs are left.
    Late(Vec<HostJob>),
    /// New jobs are allowed again, so an idle host may get one at any moment.
    Resumed,
}

/// All jobs on the host that still have a stage or their clean-up before them. A job whose
/// `prepare` is still held does not count, and neither does one whose task is only [`kept()`].
///
/// # Errors
///
/// Returns [`StateError::Disk`] if the folder cannot be read.
pub fn jobs(folder: &StateFolder) -> Result<Vec<HostJob>, StateError> {
    // The order matters: a `prepare` that ends between the two looks has left a record.
    let mut keys = folder.preparing()?;
    keys.extend(folder.keys()?);
    keys.sort_by(|a, b| a.as_str().cmp(b.as_str()));
    keys.dedup();
    let mut jobs: Vec<HostJob> = keys.iter().filter_map(|key| job(folder, key)).collect();
    jobs.sort();
    Ok(jobs)
}

/// A job that is over and whose task is kept for a person. It needs nothing of this host any more: the
/// task ends itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeptHostTask {
    /// The job's id on its forge.
    pub name: String,
    /// Until when, in seconds since 1970.
    pub keep_until_unix_s: u64,
}

/// All tasks of the host that are kept for a person.
///
/// # Errors
///
/// Returns [`StateError::Disk`] if the folder cannot be read.
pub fn kept(folder: &StateFolder) -> Result<Vec<KeptHostTask>, StateError> {
    let kept = |key: &JobKey| {
        let record = folder.record(key).ok()??;
        let keep_until_unix_s = record.kept?.keep_until_unix_s;
        Some(KeptHostTask { name: record.job_id, keep_until_unix_s })
    };
    let mut tasks: Vec<KeptHostTask> = folder.keys()?.iter().filter_map(kept).collect();
    tasks.sort();
    Ok(tasks)
}

/// `None` for a job that is over.
fn job(folder: &StateFolder, key: &JobKey) -> Option<HostJob> {
    let short = || key.as_str().chars().take(8).collect();
    Some(match folder.known(key) {
        RecordState::Record(record) if record.kept.is_some() => return None,
        RecordState::Record(record) => HostJob { name: record.job_id, unread: None },
        RecordState::Unreadable { is_newer: true } => {
            HostJob { name: short(), unread: Some(UnreadableRecord::Newer) }
        }
        RecordState::Unreadable { is_newer: false } => HostJob {
            name: short(),
            unread: Some(UnreadableRecord::Damaged(folder.record_path(key))),
        },
        RecordState::Nothing | RecordState::Buried | RecordState::Preparing => {
            HostJob { name: short(), unread: None }
        }
    })
}

/// Waits until no job is left, for at most `within`. It ends early if new jobs are allowed again.
/// `told` gets the jobs of each look.
///
/// # Errors
///
/// Returns [`StateError::Disk`] if the folder cannot be read.
pub async fn wait(
    folder: &StateFolder,
    within: Duration,
    told: &mut dyn FnMut(&[HostJob]),
) -> Result<DrainOutcome, StateError> {
    let deadline = Instant::now() + within;
    loop {
        let jobs = jobs(folder)?;
        // Check this after the jobs: if somebody resumed the host in between, it is not drained.
        if folder.intake() == JobAdmission::Open {
            return Ok(DrainOutcome::Resumed);
        }
        if jobs.is_empty() {
            return Ok(DrainOutcome::Idle);
        }
        if Instant::now() >= deadline {
            return Ok(DrainOutcome::Late(jobs));
        }
        told(&jobs);
        sleep_until((Instant::now() + LOOK).min(deadline)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fargate_state::{JobHold, JobHoldKind};

    #[tokio::test(start_paused = true)]
    async fn a_wait_ends_as_drained_only_while_new_jobs_are_held() {
        let root = tempfile::tempdir().unwrap();
        let folder = StateFolder::open(root.path(), Duration::from_secs(1)).unwrap();
        let within = Duration::from_secs(60);
        let mut looks = 0;
        // New jobs are not held, so that an empty host means nothing.
        let waited = wait(&folder, within, &mut |_| looks += 1).await.unwrap();
        assert_eq!((waited, looks), (DrainOutcome::Resumed, 0));
        folder.hold(JobHold::now(JobHoldKind::Drain, "anna", "")).await.unwrap();
        assert_eq!(wait(&folder, within, &mut |_| {}).await.unwrap(), DrainOutcome::Idle);
        let key = JobKey::from_bits([7; 32]);
        let path = root.path().join("jobs").join(format!("{key}.json"));
        std::fs::write(&path, "{}").unwrap();
        let unread = Some(UnreadableRecord::Damaged(path.clone()));
        let left = vec![HostJob { name: key.as_str()[..8].to_owned(), unread }];
        let waited = wait(&folder, within, &mut |jobs| assert_eq!(jobs, left)).await.unwrap();
        assert_eq!(waited, DrainOutcome::Late(left.clone()));
        // With or without jobs, the wait ends at the look after the hold is gone.
        let mut told = |_: &[HostJob]| looks += 1;
        let (waited, released) = tokio::join!(wait(&folder, within, &mut told), async {
            tokio::time::sleep(LOOK / 2).await;
            folder.release_hold().await
        });
        released.unwrap();
        let waited = waited.unwrap();
        assert_eq!((waited, looks), (DrainOutcome::Resumed, 1));
        let core = r#"{"cluster": "ci", "region": "eu-west-1", "endpoint": null, "task": null}"#;
        std::fs::write(&path, format!(r#"{{"schema": 99, "core": {core}}}"#)).unwrap();
        assert_eq!(jobs(&folder).unwrap()[0].unread, Some(UnreadableRecord::Newer));
    }
}
