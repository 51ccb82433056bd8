//! What can end a job from outside, and which part of the job each of them ends.

use std::future::pending;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// Longer than any job: something else ends the wait.
pub const UNLIMITED: Duration = Duration::from_secs(365 * 24 * 3600);

/// What someone asked for while the job runs. Later orders outrank earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum JobControlRequest {
    GoOn,
    Cancel,
    Abort,
    StopRunner,
}

/// The handle by which a job is cancelled. Clones act on the same job.
#[derive(Clone, Debug)]
pub struct JobControl(watch::Sender<JobControlRequest>);

impl Default for JobControl {
    fn default() -> Self {
        Self(watch::Sender::new(JobControlRequest::GoOn))
    }
}

impl JobControl {
    /// Cancels as GitLab's button does (`canceling`): in a user script only that script ends, and
    /// `after_script` and the uploads still run; before it, the job ends.
    pub fn cancel(&self) {
        self.order(JobControlRequest::Cancel);
    }

    /// Cancels at once (`canceled`): the running stage ends and only `cleanup` follows.
    pub fn abort(&self) {
        self.order(JobControlRequest::Abort);
    }

    /// What happens to the job when gitlab-runner itself gets SIGTERM.
    pub fn stop_runner(&self) {
        self.order(JobControlRequest::StopRunner);
    }

    fn order(&self, order: JobControlRequest) {
        self.0.send_if_modified(|present| {
            let stronger = order > *present;
            if stronger {
                *present = order;
            }
            stronger
        });
    }

    async fn reaches(&self, least: JobControlRequest) -> JobControlRequest {
        let mut orders = self.0.subscribe();
        let reached = orders.wait_for(|order| *order >= least).await.map(|order| *order);
        match reached {
            Ok(order) => order,
            // `self` holds the sender, so the channel stays open while this waits.
            Err(_) => pending().await,
        }
    }
}

/// Why a call was ended before it was through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallStopReason {
    /// `canceling`, in a user script: the job's later stages still run.
    Cancelled,
    /// `canceling` before a user script, or `canceled`: only `cleanup` follows.
    Aborted,
    /// The runner itself ends.
    RunnerStopped,
    /// The job's own time is over: only `cleanup` follows.
    JobTimedOut,
    /// The time of this one call is over.
    CallTimedOut,
}

impl CallStopReason {
    /// Whether nothing but `cleanup` follows.
    #[must_use]
    pub fn ends_job(self) -> bool {
        matches!(self, Self::Aborted | Self::RunnerStopped | Self::JobTimedOut)
    }
}

/// Which orders a call obeys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelScope {
    /// Everything before the user's scripts: any order ends the job.
    Job,
    /// The user's scripts: a cancel ends only them.
    UserScript,
    /// What follows the user's scripts: a cancel has had its effect already.
    Afterwards,
    /// `cleanup`: nothing but its own time ends it.
    Cleanup,
}

/// The limits of one job.
#[derive(Clone, Debug)]
pub struct PlayedJobLimits {
    control: JobControl,
    deadline: Instant,
}

impl PlayedJobLimits {
    /// The job under `control` that begins now and may take `timeout`.
    #[must_use]
    pub fn new(control: JobControl, timeout: Duration) -> Self {
        Self { control, deadline: Instant::now() + timeout.min(UNLIMITED) }
    }

    /// Returns when a call of this scope, begun now and allowed `longest`, must end.
    pub async fn ended(&self, scope: CancelScope, longest: Duration) -> CallStopReason {
        let call_deadline = Instant::now() + longest.min(UNLIMITED);
        tokio::select! {
            biased;
            stop = self.ordered(scope) => stop,
            () = self.job_deadline(scope) => CallStopReason::JobTimedOut,
            () = sleep_until(call_deadline) => CallStopReason::CallTimedOut,
        }
    }

    /// What already forbids a call of this scope to begin.
    #[must_use]
    pub fn over(&self, scope: CancelScope) -> Option<CallStopReason> {
        let order = *self.control.0.borrow();
        match scope {
            CancelScope::Cleanup => None,
            _ if order == JobControlRequest::StopRunner => Some(CallStopReason::RunnerStopped),
            _ if order == JobControlRequest::Abort => Some(CallStopReason::Aborted),
            CancelScope::Job if order == JobControlRequest::Cancel => Some(CallStopReason::Aborted),
            CancelScope::UserScript if order == JobControlRequest::Cancel => {
                Some(CallStopReason::Cancelled)
            }
            _ => (Instant::now() >= self.deadline).then_some(CallStopReason::JobTimedOut),
        }
    }

    async fn job_deadline(&self, scope: CancelScope) {
        match scope {
            CancelScope::Cleanup => pending().await,
            _ => sleep_until(self.deadline).await,
        }
    }

    async fn ordered(&self, scope: CancelScope) -> CallStopReason {
        let least = match scope {
            CancelScope::Cleanup => pending().await,
            CancelScope::Job | CancelScope::UserScript => JobControlRequest::Cancel,
            CancelScope::Afterwards => JobControlRequest::Abort,
        };
        match (self.control.reaches(least).await, scope) {
            (JobControlRequest::StopRunner, _) => CallStopReason::RunnerStopped,
            (JobControlRequest::Cancel, CancelScope::UserScript) => CallStopReason::Cancelled,
            _ => CallStopReason::Aborted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    #[tokio::test(start_paused = true)]
    async fn a_cancel_ends_the_script_or_the_job_by_where_it_meets_it() {
        let control = JobControl::default();
        let limits = PlayedJobLimits::new(control.clone(), LONG);
        control.cancel();
        assert_eq!(limits.ended(CancelScope::UserScript, LONG).await, CallStopReason::Cancelled);
        assert_eq!(limits.ended(CancelScope::Job, LONG).await, CallStopReason::Aborted);
        assert_eq!(
            limits.ended(CancelScope::Afterwards, Duration::from_secs(1)).await,
            CallStopReason::CallTimedOut
        );
        control.abort();
        assert_eq!(limits.ended(CancelScope::Afterwards, LONG).await, CallStopReason::Aborted);
    }

    #[tokio::test(start_paused = true)]
    async fn a_weaker_order_does_not_replace_a_stronger_one() {
        let control = JobControl::default();
        control.stop_runner();
        control.cancel();
        let limits = PlayedJobLimits::new(control, LONG);
        assert_eq!(
            limits.ended(CancelScope::UserScript, LONG).await,
            CallStopReason::RunnerStopped
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_of_the_job_does_not_end_its_cleanup() {
        let limits = PlayedJobLimits::new(JobControl::default(), Duration::from_secs(5));
        assert_eq!(limits.ended(CancelScope::Job, LONG).await, CallStopReason::JobTimedOut);
        assert_eq!(
            limits.ended(CancelScope::Cleanup, Duration::from_secs(9)).await,
            CallStopReason::CallTimedOut
        );
    }
}
