//! SIGTERM and SIGINT of this process, passed on to the work that it does.
//!
//! What a signal means for a job is decided there. From the first call on, neither signal ends this
//! process by itself.

use fargate_driver::session::{CancelHandle, CancelSender};
use fargate_state::HostError;
use tokio::signal::unix::{SignalKind, signal};

/// Does `work`, which hears each signal through its handle.
///
/// # Errors
///
/// The operating system's, if it lets nobody listen.
pub async fn heard<T>(work: impl AsyncFnOnce(CancelHandle) -> T) -> Result<T, HostError> {
    let listen = |kind| signal(kind).map_err(HostError::of("listening for signals"));
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    let (sender, handle) = CancelSender::new();
    let pass_on = async {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            sender.cancel();
        }
    };
    tokio::select! {
        // Signals first, so that work which ends in this moment still hears the last one.
        biased;
        never = pass_on => never,
        done = work(handle) => Ok(done),
    }
}
