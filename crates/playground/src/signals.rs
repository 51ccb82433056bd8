//! SIGINT, SIGTERM, SIGHUP and SIGQUIT, which end what this program started in good order.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals, caught from now on.
#[derive(Debug)]
pub struct TerminationSignals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
    quit: Signal,
}

impl TerminationSignals {
    /// Catches them.
    ///
    /// # Errors
    ///
    /// What the system answered.
    pub fn catch() -> io::Result<Self> {
        let interrupt = signal(SignalKind::interrupt())?;
        let terminate = signal(SignalKind::terminate())?;
        let (hang_up, quit) = (signal(SignalKind::hangup())?, signal(SignalKind::quit())?);
        Ok(Self { interrupt, terminate, hang_up, quit })
    }

    /// Returns when one of them comes.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
            _ = self.quit.recv() => {}
        }
    }
}
