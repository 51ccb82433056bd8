//! Whether a host is idle: no job is left on it, and none is being prepared.

use std::path::PathBuf;
use std::time::Duration;

use fargate_model::job::JobKey;
use fargate_state::{JobAdmission, JobState, StateError, StateFolder};
use tokio::time::{Instant, sleep_until};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(500);

/// A job that is on the host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostJob {
    /// Its id on its forge, or the beginning of its key where only that is known.
    pub name: String,
    /// Why its record cannot be read, so that nothing ends the job by itself.
    pub unread: Option<UnreadableRecord>,
}

/// A record that this version cannot read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum UnreadableRecord {
    /// This file is not as it was written.
    Damaged(PathBuf),
    /// A newer version wrote it, and can read it.
    Newer,
}

/// How a wait ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DrainOutcome {
    /// No job is left, and new ones are still held.
    Idle,
    /// Time is over, and these jobs are left.
    Late(Vec<HostJob>),
    /// New jobs are taken again, so that a host without any may have some in the next moment.
    Resumed,
}

/// All jobs on the host, whose stages or whose clean-up are still to come. A job whose `prepare` waits
/// for its turn is none.
///
/// # Errors
///
/// [`StateError::Disk`].
pub fn jobs(folder: &StateFolder) -> Result<Vec<HostJob>, StateError> {
    // In this order: a `prepare` that ends between the two looks has left its record.
    let mut keys = folder.preparing()?;
    keys.extend(folder.keys()?);
    keys.sort_by(|a, b| a.as_str().cmp(b.as_str()));
    keys.dedup();
    let mut jobs: Vec<HostJob> = keys.iter().map(|key| job(folder, key)).collect();
    jobs.sort();
    Ok(jobs)
}

fn job(folder: &StateFolder, key: &JobKey) -> HostJob {
    let short = || key.as_str().chars().take(8).collect();
    match folder.known(key) {
        JobState::Record(record) => HostJob { name: record.job_id, unread: None },
        JobState::Unreadable { is_newer: true } => {
            HostJob { name: short(), unread: Some(UnreadableRecord::Newer) }
        }
        JobState::Unreadable { is_newer: false } => HostJob {
            name: short(),
            unread: Some(UnreadableRecord::Damaged(folder.record_path(key))),
        },
        JobState::Nothing | JobState::Buried | JobState::Preparing => {
            HostJob { name: short(), unread: None }
        }
    }
}

/// Waits until no job is left, for at most `within`, and for as long as new jobs are held. `told` hears
/// of each look.
///
/// # Errors
///
/// [`StateError::Disk`].
pub async fn wait(
    folder: &StateFolder,
    within: Duration,
    told: &mut dyn FnMut(&[HostJob]),
) -> Result<DrainOutcome, StateError> {
    let deadline = Instant::now() + within;
    loop {
        let jobs = jobs(folder)?;
        // After the jobs: a host that was resumed since they were looked at is not drained.
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
        // Nobody holds new jobs, so that no job being left means nothing.
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
        // With jobs or without, it ends at the look after the hold was taken away.
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
