//! The one policy for a call that failed: what is made again at once, what is made again after a pause,
//! and what is final.
//!
//! It knows no operation. Whether a call may be made twice is for its caller to know.

use fargate_events::{JobEvent, emit};
use std::error::Error;
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::request_id::RequestId;
use fargate_model::backoff::{RetryBackoff, jittered};
use tokio::time::{Instant, sleep, timeout_at};

use crate::account::AwsAccount;
use crate::call::CallError;

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

impl AwsAccount {
    /// Makes a call with credentials that are there, and makes it once more if this host's clock or
    /// its credentials were the reason for a refusal: AWS tells the time with every answer, by which
    /// the SDK signs from then on, and the source of the credentials may have others by now.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub async fn call<T, F>(&self, send: impl Fn() -> F) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, CallError>>,
    {
        let used = self.ready().await?;
        let again = match send().await {
            Err(error) if error.is_of_clock() => {
                emit(JobEvent::ClockDiffers {});
                send().await
            }
            answer => answer,
        };
        match again {
            Err(error) if error.is_of_credentials() => {
                emit(JobEvent::CredentialsRefused {
                    request_id: error.request_id().map(Into::into),
                    message: error.to_string(),
                });
                match self.has_others_than(&used).await? {
                    true => send().await.map_err(|error| self.judged(error)),
                    false => Err(self.judged(error)),
                }
            }
            answer => answer,
        }
    }

    /// Sorts what became of a call.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub async fn sent<T, E>(
        &self,
        answer: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<T, CallError>
    where
        E: Error + ProvideErrorMetadata + RequestId + 'static,
    {
        answer.await.map_err(|error| CallError::of(&error, &self.masker))
    }
}

/// Calls until it succeeds, fails for good, or `deadline` passes, which covers the call as well. What a
/// call said before is told rather than that the last one had no time left.
///
/// # Errors
///
/// The last [`CallError`].
pub async fn retry<T, F>(deadline: Instant, mut call: impl FnMut() -> F) -> Result<T, CallError>
where
    F: Future<Output = Result<T, CallError>>,
{
    let mut backoff = RetryBackoff::doubling(FIRST_PAUSE, LONGEST_PAUSE);
    let mut last = CallError::NoAnswer { text: "no answer before the deadline".to_owned() };
    loop {
        last = match timeout_at(deadline, call()).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => error,
            Err(_) => return Err(last),
        };
        let pause = backoff.next_pause();
        if !last.is_transient() || Instant::now() + pause >= deadline {
            return Err(last);
        }
        sleep(jittered(pause)).await;
    }
}
