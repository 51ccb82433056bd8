//! Tells the service manager that `serve` is ready, that it lives, and that it ends: systemd's protocol of
//! `Type=notify` and `WatchdogSec`. Without a service manager it does nothing.

use std::time::Duration;

use sd_notify::{NotifyState, notify, watchdog_enabled};
use tokio::runtime::Handle;
use tokio::time::{sleep, timeout};

/// The page can be asked.
pub fn tell_ready() {
    // A manager that does not listen ends the start by itself.
    let _ = notify(&[NotifyState::Ready]);
}

/// The end has begun.
pub fn tell_end() {
    let _ = notify(&[NotifyState::Stopping]);
}

/// Tells the watchdog that the program lives, twice in each of its periods, for as long as every thread answers.
/// Never ends.
pub async fn tell_alive(threads: Vec<Handle>) {
    let Some(period) = watchdog_enabled() else { return std::future::pending().await };
    let pause = (period / 2).max(Duration::from_millis(10));
    loop {
        if timeout(pause, all_answer(&threads)).await.is_ok() {
            let _ = notify(&[NotifyState::Watchdog]);
        }
        sleep(pause).await;
    }
}

async fn all_answer(threads: &[Handle]) {
    for thread in threads {
        // A thread that has ended answers, too: then the whole service is about to end.
        let _ = thread.spawn(async {}).await;
    }
}
