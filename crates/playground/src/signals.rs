//! SIGINT and SIGTERM, which end what this program started in good order.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Both signals, caught from now on.
#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Catches both signals.
    ///
    /// # Errors
    ///
    /// What the system answered.
    pub fn catch() -> io::Result<Self> {
        let interrupt = signal(SignalKind::interrupt())?;
        Ok(Self { interrupt, terminate: signal(SignalKind::terminate())? })
    }

    /// Returns when either comes.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
