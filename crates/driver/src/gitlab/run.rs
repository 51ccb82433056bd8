//! The stage `run`: reads the script that gitlab-runner generated, and has it run in the job's task.
//!
//! What GitLab is told of the end is decided by [`StageError`].

use std::path::Path;

use fargate_model::job::JobKey;
use fargate_protocol::ScriptSignal;
use fargate_state::StateFolder;

use super::StageError;
use crate::context::JobContext;
use crate::job::{self, ScriptRunError};
use crate::script_file::read_script_file;
use crate::session::{CancelRequest, ConsoleWriter};
use crate::verdict::RunVerdict;

/// Runs the script in the file `script`, and passes its output on to `console`.
///
/// # Errors
///
/// Returns [`StageError`] if the script did not pass. Its exit code says who is to blame.
pub async fn run(
    folder: &StateFolder,
    key: &JobKey,
    context: &JobContext,
    script: &Path,
    console: &mut ConsoleWriter,
) -> Result<(), StageError> {
    let timeouts = context.timeouts();
    let stop = CancelRequest {
        signal: ScriptSignal::Term,
        grace: timeouts.cancel_grace,
        leave_after: timeouts.cancel_return,
    };
    let bytes = read_script_file(script)
        .map_err(|source| StageError::ScriptFile { path: script.to_owned(), source })?;
    match job::run_script(context, folder, key, bytes, stop, console).await? {
        RunVerdict::Passed => Ok(()),
        RunVerdict::Script(status) => Err(StageError::Script { status }),
        RunVerdict::Job(status, why) => Err(StageError::Job { status, why }),
        RunVerdict::System(why) => Err(StageError::System(why)),
        RunVerdict::Cancelled => Err(StageError::Cancelled { task: None }),
    }
}

impl From<ScriptRunError> for StageError {
    fn from(error: ScriptRunError) -> Self {
        match error {
            ScriptRunError::Why(why) => Self::System(why),
            ScriptRunError::Cancelled => Self::Cancelled { task: None },
        }
    }
}
