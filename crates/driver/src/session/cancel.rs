//! Turns SIGTERM and SIGINT of this process into requests to cancel what runs in the task.
//!
//! It only reports them. What follows is decided by whoever waits.

use std::time::Duration;

use tokio::signal::unix::{self, SignalKind, signal};

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

/// Watches for the two signals. From now on, neither of them ends this process by itself.
#[derive(Debug)]
pub struct CancelSignals {
    terminate: unix::Signal,
    interrupt: unix::Signal,
    stop: CancelRequest,
}

impl CancelSignals {
    /// Makes one. Each signal gives the request `stop`.
    ///
    /// # Errors
    ///
    /// Returns the operating system's error if a handler cannot be set.
    pub fn new(stop: CancelRequest) -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            stop,
        })
    }

    /// The next request. No request is lost if the future is dropped.
    pub async fn next(&mut self) -> CancelRequest {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
        self.stop
    }
}
