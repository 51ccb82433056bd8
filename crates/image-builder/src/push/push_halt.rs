//! Tells the transfers of one push to stop: because somebody asked for it, or because another one failed.

use tokio::sync::watch;

use crate::image_run::ImageRun;

/// What all transfers of one push look at.
pub(super) struct PushHalt {
    run: ImageRun,
    failed: watch::Sender<bool>,
}

impl PushHalt {
    pub fn new(run: ImageRun) -> Self {
        Self { run, failed: watch::Sender::new(false) }
    }

    /// A transfer failed.
    pub fn halt(&self) {
        self.failed.send_replace(true);
    }

    /// Whether to stop.
    pub fn is_halted(&self) -> bool {
        *self.failed.borrow() || self.run.is_cancelled()
    }

    /// Returns once it is time to stop.
    pub async fn halted(&self) {
        let mut failed = self.failed.subscribe();
        tokio::select! {
            () = self.run.cancelled() => {}
            // The sender lives as long as this value.
            _ = failed.wait_for(|failed| *failed) => {}
        }
    }
}
