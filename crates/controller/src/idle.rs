//! Whether a host is idle: no job is left on it, and none is being prepared.

use std::path::PathBuf;
use std::time::Duration;

use fargate_driver::state::{Folder, Intake, Known, StateError};
use fargate_model::job::JobKey;
use tokio::time::{Instant, sleep_until};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(500);

/// A job that is on the host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Job {
    /// Its id on its forge, or the beginning of its key where only that is known.
    pub name: String,
    /// Why its record cannot be read, so that nothing ends the job by itself.
    pub unread: Option<Unread>,
}

/// A record that this version cannot read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unread {
    /// This file is not as it was written.
    Damaged(PathBuf),
    /// A newer version wrote it, and can read it.
    Newer,
}

/// How a wait ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waited {
    /// No job is left, and new ones are still held.
    Idle,
    /// Time is over, and these jobs are left.
    Late(Vec<Job>),
    /// New jobs are taken again, so that a host without any may have some in the next moment.
    Resumed,
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
    let mut jobs: Vec<Job> = keys.iter().map(|key| job(folder, key)).collect();
    jobs.sort();
    Ok(jobs)
}

fn job(folder: &Folder, key: &JobKey) -> Job {
    let short = || key.as_str().chars().take(8).collect();
    match folder.known(key) {
        Known::Record(record) => Job { name: record.job_id, unread: None },
        Known::Unreadable { is_newer: true } => Job { name: short(), unread: Some(Unread::Newer) },
        Known::Unreadable { is_newer: false } => {
            Job { name: short(), unread: Some(Unread::Damaged(folder.record_path(key))) }
        }
        Known::Nothing | Known::Buried | Known::Preparing => Job { name: short(), unread: None },
    }
}

/// Waits until no job is left, for at most `within`, and for as long as new jobs are held. `told` hears
/// of each look.
///
/// # Errors
///
/// [`StateError::Disk`].
pub async fn wait(
    folder: &Folder,
    within: Duration,
    told: &mut dyn FnMut(&[Job]),
) -> Result<Waited, StateError> {
    let deadline = Instant::now() + within;
    loop {
        let jobs = jobs(folder)?;
        // After the jobs: a host that was resumed since they were looked at is not drained.
        if folder.intake() == Intake::Open {
            return Ok(Waited::Resumed);
        }
        if jobs.is_empty() {
            return Ok(Waited::Idle);
        }
        if Instant::now() >= deadline {
            return Ok(Waited::Late(jobs));
        }
        told(&jobs);
        sleep_until((Instant::now() + LOOK).min(deadline)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fargate_driver::state::{Held, Hold};

    #[tokio::test(start_paused = true)]
    async fn a_wait_ends_as_drained_only_while_new_jobs_are_held() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::open(root.path(), Duration::from_secs(1)).unwrap();
        let within = Duration::from_secs(60);
        let mut looks = 0;
        // Nobody holds new jobs, so that no job being left means nothing.
        let waited = wait(&folder, within, &mut |_| looks += 1).await.unwrap();
        assert_eq!((waited, looks), (Waited::Resumed, 0));
        folder.hold(Held::now(Hold::Drain, "anna", "")).unwrap();
        assert_eq!(wait(&folder, within, &mut |_| {}).await.unwrap(), Waited::Idle);
        let key = JobKey::from_bits([7; 32]);
        let path = root.path().join("jobs").join(format!("{key}.json"));
        std::fs::write(&path, "{}").unwrap();
        let unread = Some(Unread::Damaged(path.clone()));
        let left = vec![Job { name: key.as_str()[..8].to_owned(), unread }];
        let waited = wait(&folder, within, &mut |jobs| assert_eq!(jobs, left)).await.unwrap();
        assert_eq!(waited, Waited::Late(left.clone()));
        // With jobs or without, it ends at the look after the hold was taken away.
        let mut resumes = |_: &[Job]| {
            looks += 1;
            folder.release_hold().unwrap();
        };
        let waited = wait(&folder, within, &mut resumes).await.unwrap();
        assert_eq!((waited, looks), (Waited::Resumed, 1));
        let core = r#"{"cluster": "ci", "region": "eu-west-1", "endpoint": null, "task": null}"#;
        std::fs::write(&path, format!(r#"{{"schema": 99, "core": {core}}}"#)).unwrap();
        assert_eq!(jobs(&folder).unwrap()[0].unread, Some(Unread::Newer));
    }
}
