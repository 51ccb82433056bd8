//! Times as the database holds them, and work that waits for a disk.

use std::time::{Duration, SystemTime};

use fargate_model::moment::unix_ms;

/// Milliseconds since 1970, by this host's clock.
pub(crate) fn now_ms() -> u64 {
    unix_ms(SystemTime::now())
}

/// Whole milliseconds.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Runs work that reads files, beside the runtime's other work.
pub(crate) async fn run_blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(ended) => match ended.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => unreachable!("nothing cancels work that has begun, and it begins at once"),
        },
    }
}
