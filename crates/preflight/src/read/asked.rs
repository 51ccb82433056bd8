//! One question to AWS as a reading: repeated by the one policy until the deadline.

use fargate_aws::{CallError, retry};
use tokio::time::Instant;

use crate::reading::AwsReading;

/// Asks until there is an answer, or the deadline passes.
pub(crate) async fn asked<T, F>(
    right: &str,
    deadline: Instant,
    call: impl FnMut() -> F,
) -> AwsReading<T>
where
    F: Future<Output = Result<T, CallError>>,
{
    let answer = retry(deadline, call).await;
    // The error names the right that was missing, where one question takes several calls.
    let named = match &answer {
        Err(CallError::Elsewhere { right, .. }) => right,
        _ => right,
    };
    AwsReading::of(named, answer)
}
