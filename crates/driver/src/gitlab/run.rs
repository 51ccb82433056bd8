//! The stage `run`: reads the script that gitlab-runner generated, and has it run in the job's task.
//!
//! What GitLab is told of the end is decided by [`StageError`].

use std::path::Path;
use std::time::Duration;

use fargate_model::job::JobKey;
use fargate_protocol::ScriptSignal;
use fargate_state::StateFolder;
use tokio::time::timeout;

use super::StageError;
use super::stage_facts::StageFacts;
use crate::context::JobContext;
use crate::job::{self, ScriptRunError};
use crate::script_file::read_script_file;
use crate::session::{CancelRequest, ConsoleWriter};
use crate::verdict::RunVerdict;

/// Stages whose failure does not fail the job.
///
/// Source: gitlab-runner, `common/build.go`.
const WITHOUT_WEIGHT: [&str; 5] = [
    "after_script",
    "archive_cache_on_failure",
    "clear_worktree",
    "cleanup_file_variables",
    "upload_artifacts_on_failure",
];
/// How long to wait until a line of ours behind the script's output is read.
const LAST_WORD: Duration = Duration::from_secs(2);

/// Runs the script of `stage` in the file `script`, and passes its output on to `console`.
///
/// # Errors
///
/// Returns [`StageError`] if the script did not pass. Its exit code says who is to blame.
pub async fn run(
    folder: &StateFolder,
    key: &JobKey,
    context: &JobContext,
    (script, stage): (&Path, &str),
    console: &mut ConsoleWriter,
) -> Result<(), StageError> {
    let (facts, context) = StageFacts::begin(context, stage);
    let ran = run_stage(folder, key, &context, (script, stage), console).await;
    facts.end(&context, &ran, console.progress().borrow().of_script());
    ran
}

async fn run_stage(
    folder: &StateFolder,
    key: &JobKey,
    context: &JobContext,
    (script, stage): (&Path, &str),
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
    let ran = job::run_script(context, folder, key, bytes, stop, console).await;
    note_for_cleanup(context, folder, key, stage, ran.as_ref(), console).await;
    match ran? {
        RunVerdict::Passed => Ok(()),
        RunVerdict::Script(status) => Err(StageError::Script { status }),
        RunVerdict::Job(status, why) => Err(StageError::Job { status, why }),
        RunVerdict::System(why) => Err(StageError::System(why)),
        RunVerdict::Cancelled => Err(StageError::Cancelled { task: None }),
    }
}

/// Notes what decides whether the clean-up keeps the task. Only a script that fails keeps it. After a
/// system failure there is no task, or it cannot be reached and so not wiped.
async fn note_for_cleanup(
    context: &JobContext,
    folder: &StateFolder,
    key: &JobKey,
    stage: &str,
    ran: Result<&RunVerdict, &ScriptRunError>,
    console: &mut ConsoleWriter,
) {
    match ran {
        Ok(RunVerdict::Script(_)) if !WITHOUT_WEIGHT.contains(&stage) => {
            if let Some(line) = job::note_failure(context, folder, key, stage).await {
                console.say(&line);
                let _ = timeout(LAST_WORD, console.drained()).await;
            }
        }
        Ok(RunVerdict::Passed) => job::forget_failure(folder, key, Some(stage)),
        Ok(RunVerdict::Cancelled) | Err(ScriptRunError::Cancelled) => {
            job::forget_failure(folder, key, None);
        }
        Ok(RunVerdict::Script(_) | RunVerdict::Job(..) | RunVerdict::System(_))
        | Err(ScriptRunError::Why(_)) => {}
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
