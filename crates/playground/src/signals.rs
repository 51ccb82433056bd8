//! SIGINT, SIGTERM, SIGHUP and SIGQUIT: after one of them this program ends what it started, and then
//! itself.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Catches the signals from when it is made.
#[derive(Debug)]
pub struct TerminationSignals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
    quit: Signal,
}

impl TerminationSignals {
    /// Catches the signals.
    ///
    /// # Errors
    ///
    /// If the system refuses a handler.
    pub fn catch() -> io::Result<Self> {
        let interrupt = signal(SignalKind::interrupt())?;
        let terminate = signal(SignalKind::terminate())?;
        let (hang_up, quit) = (signal(SignalKind::hangup())?, signal(SignalKind::quit())?);
        Ok(Self { interrupt, terminate, hang_up, quit })
    }

    /// Returns when one of the signals comes.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
            _ = self.quit.recv() => {}
        }
    }
}
