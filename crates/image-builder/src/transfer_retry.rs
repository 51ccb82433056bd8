//! How often and after which pause something that a registry did not do is tried again, for every module that
//! asks registries.

use std::time::Duration;

use fargate_model::backoff::{RetryBackoff, jittered};
use fargate_registry::RepositoryError;
use tokio::time::sleep;

/// How often each request, each blob and each manifest is tried.
pub(crate) const TRIES: usize = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// All tries failed, or the last one for good.
#[derive(Debug)]
pub(crate) struct TransferFailure {
    /// What each try said, the first one first.
    pub tries: Vec<RepositoryError>,
}

impl TransferFailure {
    pub(crate) fn last(&self) -> &RepositoryError {
        self.tries.last().expect("a failure has a try")
    }
}

/// The same as [`try_often`], for whom only the last failure matters.
pub(crate) async fn retried<T, F>(work: impl FnMut() -> F) -> Result<T, RepositoryError>
where
    F: Future<Output = Result<T, RepositoryError>>,
{
    let done = try_often(work).await;
    done.map_err(|mut failure| failure.tries.pop().expect("a failure has a try"))
}

/// Tries until it succeeds, fails for good, or was tried often enough. The registry's `Retry-After` counts
/// where it is longer than our own pause.
pub(crate) async fn try_often<T, F>(mut work: impl FnMut() -> F) -> Result<T, TransferFailure>
where
    F: Future<Output = Result<T, RepositoryError>>,
{
    let mut pauses = RetryBackoff::doubling(FIRST_PAUSE, LONGEST_PAUSE);
    let mut tries = Vec::new();
    loop {
        match work().await {
            Ok(value) => return Ok(value),
            Err(error) => {
                let is_over = !error.is_passing() || tries.len() + 1 == TRIES;
                let asked = error.retry_after().unwrap_or_default();
                tries.push(error);
                if is_over {
                    return Err(TransferFailure { tries });
                }
                sleep(jittered(pauses.next_pause()).max(asked)).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tokio::time::Instant;

    use super::*;

    fn refused(status: u16, retry_after: Option<Duration>) -> RepositoryError {
        RepositoryError::Refused {
            registry: "r".to_owned(),
            doing: "uploading".to_owned(),
            status,
            code: String::new(),
            message: String::new(),
            retry_after,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_registry_that_is_busy_is_tried_five_times_and_waits_as_long_as_it_asks() {
        let (begun, count) = (Instant::now(), Cell::new(0));
        let failed = try_often(|| {
            count.set(count.get() + 1);
            async { Err::<(), _>(refused(429, Some(Duration::from_secs(30)))) }
        });
        assert_eq!(failed.await.unwrap_err().tries.len(), TRIES);
        assert_eq!(count.get(), TRIES);
        assert!(begun.elapsed() >= Duration::from_secs(120));
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_for_good_is_not_tried_again_and_a_passing_one_may_succeed() {
        let failed = try_often(|| async { Err::<(), _>(refused(405, None)) }).await;
        assert_eq!(failed.unwrap_err().tries.len(), 1);
        let count = Cell::new(0);
        let done = try_often(|| {
            count.set(count.get() + 1);
            let result = if count.get() < 3 { Err(refused(503, None)) } else { Ok(count.get()) };
            async { result }
        });
        assert_eq!(done.await.unwrap(), 3);
    }
}
