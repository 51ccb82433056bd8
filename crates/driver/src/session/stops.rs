//! SIGTERM and SIGINT of this process, as wishes to end what runs in the task.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::talk::Stop;

/// See the module. From its making on, neither signal ends this process by itself.
#[derive(Debug)]
pub struct Stops {
    terminate: Signal,
    interrupt: Signal,
    stop: Stop,
}

impl Stops {
    /// Each signal asks for `stop`.
    ///
    /// # Errors
    ///
    /// The operating system's.
    pub fn new(stop: Stop) -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            stop,
        })
    }

    /// The next wish. Nothing is lost if the future is dropped.
    pub async fn next(&mut self) -> Stop {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
        self.stop
    }
}
