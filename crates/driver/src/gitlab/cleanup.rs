//! The stage `cleanup`: hands the job over to the job core, which stops its task.
//!
//! What could not be stopped fails no stage: GitLab has the job's verdict already.

use fargate_model::job::JobKey;

use super::StageError;
use crate::context::JobContext;
use crate::job::{self, CleanupFailures, JobTraces};

/// Cleans up after the job `key`. Without its `traces`, no task is kept.
///
/// # Errors
///
/// Returns [`StageError`] if not even the state folder can be used.
pub async fn cleanup(
    context: &JobContext,
    key: &JobKey,
    traces: Option<&JobTraces>,
) -> Result<CleanupFailures, StageError> {
    Ok(job::clean_up(context, key, traces).await?)
}
