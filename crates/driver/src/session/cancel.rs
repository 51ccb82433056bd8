//! SIGTERM and SIGINT of this process, as wishes to end what runs in the task.

use std::time::Duration;

use tokio::signal::unix::{self, SignalKind, signal};

/// A wish to end what runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CancelRequest {
    /// What is sent at once.
    pub signal: fargate_protocol::ScriptSignal,
    /// Until KILL, by the agent.
    pub grace: Duration,
    /// After this long nobody here waits any more for the script's end.
    pub leave_after: Duration,
}

/// See the module. From its making on, neither signal ends this process by itself.
#[derive(Debug)]
pub struct CancelSignals {
    terminate: unix::Signal,
    interrupt: unix::Signal,
    stop: CancelRequest,
}

impl CancelSignals {
    /// Each signal asks for `stop`.
    ///
    /// # Errors
    ///
    /// The operating system's.
    pub fn new(stop: CancelRequest) -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            stop,
        })
    }

    /// The next wish. Nothing is lost if the future is dropped.
    pub async fn next(&mut self) -> CancelRequest {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
        self.stop
    }
}
