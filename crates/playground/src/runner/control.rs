//! What can end a job from outside, and which part of the job each of them ends.

use std::future::pending;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// Longer than any job: something else ends the wait.
pub const UNLIMITED: Duration = Duration::from_secs(365 * 24 * 3600);

/// What someone asked for while the job runs. Later orders outrank earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Order {
    GoOn,
    Cancel,
    Abort,
    StopRunner,
}

/// The handle by which a job is cancelled. Clones act on the same job.
#[derive(Clone, Debug)]
pub struct Control(watch::Sender<Order>);

impl Default for Control {
    fn default() -> Self {
        Self(watch::Sender::new(Order::GoOn))
    }
}

impl Control {
    /// Cancels as GitLab's button does (`canceling`): in a user script only that script ends, and
    /// `after_script` and the uploads still run; before it, the job ends.
    pub fn cancel(&self) {
        self.order(Order::Cancel);
    }

    /// Cancels at once (`canceled`): the running stage ends and only `cleanup` follows.
    pub fn abort(&self) {
        self.order(Order::Abort);
    }

    /// What happens to the job when gitlab-runner itself gets SIGTERM.
    pub fn stop_runner(&self) {
        self.order(Order::StopRunner);
    }

    fn order(&self, order: Order) {
        self.0.send_if_modified(|present| {
            let stronger = order > *present;
            if stronger {
                *present = order;
            }
            stronger
        });
    }

    async fn reaches(&self, least: Order) -> Order {
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
pub enum Stop {
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

impl Stop {
    /// Whether nothing but `cleanup` follows.
    #[must_use]
    pub fn ends_job(self) -> bool {
        matches!(self, Self::Aborted | Self::RunnerStopped | Self::JobTimedOut)
    }
}

/// Which orders a call obeys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
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
pub struct Limits {
    control: Control,
    deadline: Instant,
}

impl Limits {
    /// The job under `control` that begins now and may take `timeout`.
    #[must_use]
    pub fn new(control: Control, timeout: Duration) -> Self {
        Self { control, deadline: Instant::now() + timeout.min(UNLIMITED) }
    }

    /// Returns when a call of this scope, begun now and allowed `longest`, must end.
    pub async fn ended(&self, scope: Scope, longest: Duration) -> Stop {
        let call_deadline = Instant::now() + longest.min(UNLIMITED);
        tokio::select! {
            biased;
            stop = self.ordered(scope) => stop,
            () = self.job_deadline(scope) => Stop::JobTimedOut,
            () = sleep_until(call_deadline) => Stop::CallTimedOut,
        }
    }

    /// What already forbids a call of this scope to begin.
    #[must_use]
    pub fn over(&self, scope: Scope) -> Option<Stop> {
        let order = *self.control.0.borrow();
        match scope {
            Scope::Cleanup => None,
            _ if order == Order::StopRunner => Some(Stop::RunnerStopped),
            _ if order == Order::Abort => Some(Stop::Aborted),
            Scope::Job if order == Order::Cancel => Some(Stop::Aborted),
            Scope::UserScript if order == Order::Cancel => Some(Stop::Cancelled),
            _ => (Instant::now() >= self.deadline).then_some(Stop::JobTimedOut),
        }
    }

    async fn job_deadline(&self, scope: Scope) {
        match scope {
            Scope::Cleanup => pending().await,
            _ => sleep_until(self.deadline).await,
        }
    }

    async fn ordered(&self, scope: Scope) -> Stop {
        let least = match scope {
            Scope::Cleanup => pending().await,
            Scope::Job | Scope::UserScript => Order::Cancel,
            Scope::Afterwards => Order::Abort,
        };
        match (self.control.reaches(least).await, scope) {
            (Order::StopRunner, _) => Stop::RunnerStopped,
            (Order::Cancel, Scope::UserScript) => Stop::Cancelled,
            _ => Stop::Aborted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    #[tokio::test(start_paused = true)]
    async fn a_cancel_ends_the_script_or_the_job_by_where_it_meets_it() {
        let control = Control::default();
        let limits = Limits::new(control.clone(), LONG);
        control.cancel();
        assert_eq!(limits.ended(Scope::UserScript, LONG).await, Stop::Cancelled);
        assert_eq!(limits.ended(Scope::Job, LONG).await, Stop::Aborted);
        assert_eq!(
            limits.ended(Scope::Afterwards, Duration::from_secs(1)).await,
            Stop::CallTimedOut
        );
        control.abort();
        assert_eq!(limits.ended(Scope::Afterwards, LONG).await, Stop::Aborted);
    }

    #[tokio::test(start_paused = true)]
    async fn a_weaker_order_does_not_replace_a_stronger_one() {
        let control = Control::default();
        control.stop_runner();
        control.cancel();
        let limits = Limits::new(control, LONG);
        assert_eq!(limits.ended(Scope::UserScript, LONG).await, Stop::RunnerStopped);
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_of_the_job_does_not_end_its_cleanup() {
        let limits = Limits::new(Control::default(), Duration::from_secs(5));
        assert_eq!(limits.ended(Scope::Job, LONG).await, Stop::JobTimedOut);
        assert_eq!(limits.ended(Scope::Cleanup, Duration::from_secs(9)).await, Stop::CallTimedOut);
    }
}
