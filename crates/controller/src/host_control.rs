//! What an operator changes on a host from afar: whether it takes new jobs. The commands `pause`, `drain`
//! and `resume` do the same on the host itself.
//!
//! Who may do it is decided by the caller, and so is who is told.

use std::path::Path;
use std::time::{Duration, SystemTime};

use fargate_events::{JobEvent, emit};
use fargate_state::{BreakerLimits, JobAdmission, JobHold, JobHoldKind, StateError, StateFolder};

/// One host, by its state folder.
#[derive(Debug)]
pub struct HostControl {
    folder: StateFolder,
}

impl HostControl {
    /// The host whose state folder this is. The folder must exist.
    ///
    /// # Errors
    ///
    /// Returns [`StateError`] if the folder does not exist or is not to be trusted.
    pub fn of(root: &Path, lock_within: Duration) -> Result<Self, StateError> {
        Ok(Self { folder: StateFolder::existing(root, lock_within)? })
    }

    /// Whether new jobs are taken.
    #[must_use]
    pub fn admission(&self) -> JobAdmission {
        self.folder.intake()
    }

    /// Until when launches leave this capacity provider of a Region alone; `None` if they may use it.
    #[must_use]
    pub fn capacity_paused_until(
        &self,
        region: &str,
        provider: &str,
        limits: BreakerLimits,
    ) -> Option<SystemTime> {
        let now = SystemTime::now();
        let since_1970 = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let left = self.folder.capacity_breaker(region, provider, limits).left(since_1970)?;
        now.checked_add(left)
    }

    /// Lets new jobs wait. The answer is what is in force then: a drain stays a drain.
    ///
    /// # Errors
    ///
    /// Returns [`StateError`] if the file cannot be written.
    pub async fn hold(
        &self,
        kind: JobHoldKind,
        who: &str,
        note: &str,
    ) -> Result<JobAdmission, StateError> {
        self.folder.hold(JobHold::now(kind, who, note)).await?;
        let (who, note) = (Some(who.to_owned()), Some(note.to_owned()));
        emit(JobEvent::JobsHeld { who, note, cause: None, message: None });
        Ok(self.folder.intake())
    }

    /// Takes new jobs again. The answer is what held them before.
    ///
    /// # Errors
    ///
    /// Returns [`StateError`] if the file cannot be removed.
    pub async fn resume(&self, who: &str) -> Result<JobAdmission, StateError> {
        let before = self.folder.release_hold().await?;
        emit(JobEvent::JobsResumed { who: who.to_owned() });
        Ok(before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_page_learns_until_when_spot_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        let within = Duration::from_secs(5);
        let folder = StateFolder::open(root.path(), within).unwrap();
        let host = HostControl::of(root.path(), within).unwrap();
        let (window, pause) = (Duration::from_secs(600), Duration::from_secs(900));
        let limits = BreakerLimits { failures: 1, window, pause };
        let until = || host.capacity_paused_until("eu-west-1", "FARGATE_SPOT", limits);
        assert_eq!(until(), None);
        let now = SystemTime::now();
        let since_1970 = now.duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let breaker = folder.capacity_breaker("eu-west-1", "FARGATE_SPOT", limits);
        breaker.failed("launch-1", since_1970).await;
        assert!(until().is_some_and(|until| until > now + Duration::from_secs(890)));
        assert_eq!(host.capacity_paused_until("eu-west-2", "FARGATE_SPOT", limits), None);
    }

    #[tokio::test]
    async fn a_host_is_paused_and_resumed_from_afar() {
        let root = tempfile::tempdir().unwrap();
        let within = Duration::from_secs(5);
        assert!(HostControl::of(&root.path().join("missing"), within).is_err());
        drop(StateFolder::open(root.path(), within).unwrap());
        let host = HostControl::of(root.path(), within).unwrap();
        assert_eq!(host.admission(), JobAdmission::Open);
        let JobAdmission::Held(hold) =
            host.hold(JobHoldKind::Pause, "anna", "new disk").await.unwrap()
        else {
            panic!("the host takes new jobs");
        };
        assert_eq!((hold.who.as_str(), hold.note.as_str()), ("anna", "new disk"));
        assert!(matches!(host.resume("ben").await.unwrap(), JobAdmission::Held(_)));
        assert_eq!(host.admission(), JobAdmission::Open);
    }
}
