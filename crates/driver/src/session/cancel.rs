//! Requests to cancel what runs in the task, as a caller passes them on: SIGTERM and SIGINT of its
//! process, or a request to stop one of many jobs. Requests that come together count as one.
//!
//! It installs no signal handler, and what follows is decided by whoever waits.

use std::time::Duration;

use tokio::sync::watch;

/// A request to cancel what runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CancelRequest {
    /// The signal that is sent at once.
    pub signal: fargate_protocol::ScriptSignal,
    /// Time until the agent sends KILL.
    pub grace: Duration,
    /// After this time, nobody here waits for the script's end.
    pub leave_after: Duration,
}

/// Cancels a job. Each call is one request.
#[derive(Debug)]
pub struct CancelSender(watch::Sender<u64>);

/// Hears the requests of one [`CancelSender`], also those from before it was cloned.
#[derive(Clone, Debug)]
pub struct CancelHandle(watch::Receiver<u64>);

impl CancelSender {
    /// A sender, and the handle that hears it.
    #[must_use]
    pub fn new() -> (Self, CancelHandle) {
        let (sender, receiver) = watch::channel(0);
        (Self(sender), CancelHandle(receiver))
    }

    /// Asks the job to end.
    pub fn cancel(&self) {
        self.0.send_modify(|requests| *requests += 1);
    }
}

impl CancelHandle {
    /// One that hears nothing, for work that nobody cancels.
    #[must_use]
    pub fn never() -> Self {
        CancelSender::new().1
    }
}

/// The requests of a caller, and what each of them means for the script.
#[derive(Debug)]
pub struct CancelSignals {
    requests: watch::Receiver<u64>,
    stop: CancelRequest,
}

impl CancelSignals {
    /// Each request means `stop`.
    #[must_use]
    pub fn new(handle: &CancelHandle, stop: CancelRequest) -> Self {
        Self { requests: handle.0.clone(), stop }
    }

    /// The next request. No request is lost if the future is dropped.
    pub async fn next(&mut self) -> CancelRequest {
        if self.requests.changed().await.is_err() {
            // The sender is gone, so no request can come any more.
            std::future::pending::<()>().await;
        }
        self.stop
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use fargate_protocol::ScriptSignal;
    use tokio::time::timeout;

    use super::*;

    const STOP: CancelRequest = CancelRequest {
        signal: ScriptSignal::Term,
        grace: Duration::ZERO,
        leave_after: Duration::ZERO,
    };

    #[tokio::test(start_paused = true)]
    async fn a_request_is_heard_once_by_each_listener_also_if_it_came_before() {
        let (sender, handle) = CancelSender::new();
        sender.cancel();
        let mut early = CancelSignals::new(&handle, STOP);
        assert_eq!(early.next().await, STOP);
        assert!(timeout(Duration::from_secs(60), early.next()).await.is_err());
        assert_eq!(CancelSignals::new(&handle, STOP).next().await, STOP);
        sender.cancel();
        assert_eq!(early.next().await, STOP);
    }

    #[tokio::test(start_paused = true)]
    async fn who_hears_nothing_waits_for_ever() {
        let mut signals = CancelSignals::new(&CancelHandle::never(), STOP);
        assert!(timeout(Duration::from_secs(60), signals.next()).await.is_err());
    }
}
