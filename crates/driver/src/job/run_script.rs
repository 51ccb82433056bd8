//! Runs one script in the job's task. It prints nothing but the script's own output.
//!
//! Who is to blame for an end is decided in `verdict`.

use std::cell::RefCell;
use std::time::Duration;

use fargate_events::{JobEvent, emit};
use fargate_fail_point::FailPoint;
use fargate_model::cause::{CauseReport, FailureCause};
use fargate_model::job::JobKey;
use fargate_model::random;
use fargate_model::text::duration;
use fargate_state::{JobRecord, StateError, StateFolder};
use tokio::time::{sleep, timeout};

use crate::context::JobContext;
use crate::reconnect;
use crate::session::{
    self, CancelRequest, CancelSignals, ConsoleWriter, LoginError, ScriptOutcome, TaskCommand,
    TaskConnectError, TaskConnector, TaskSession, TaskWatch, shell_for,
};
use crate::verdict::{self, JobFacts, RunVerdict};

use super::spot_interruption::{count_interruption, spot_notice};

/// How often to check whether somebody cleaned up the job, while its task cannot be reached.
const LOOK_FOR_CLEANUP: Duration = Duration::from_millis(500);
/// How long to wait until a line of ours behind the script's output is read. A slower reader misses
/// it.
const LAST_WORD: Duration = Duration::from_secs(2);
/// Written after the script has ended, because output is missing from there on.
const OUTPUT_LEFT: &str = "fargate-runner: a process that the script left behind still holds its output; what it writes from here on is not shown\n";

/// Why nobody can say how a script ended, or why it was not sent.
#[derive(Debug, thiserror::Error)]
pub enum ScriptRunError {
    /// A cause of the catalogue. Nothing was sent.
    #[error("{}", .0.headline())]
    Why(Box<CauseReport>),
    /// The job was cancelled before the script's end was known.
    #[error("cancelled")]
    Cancelled,
}

impl From<CauseReport> for ScriptRunError {
    fn from(why: CauseReport) -> Self {
        Self::Why(Box::new(why))
    }
}

impl From<StateError> for ScriptRunError {
    fn from(error: StateError) -> Self {
        error.why().into()
    }
}

/// Runs `script` in the task of the job `key`, and passes its output on to `console`. `stop` is what a
/// cancellation does to the script.
///
/// # Errors
///
/// Returns [`ScriptRunError`] if the job has no task that is ready, if the script cannot be sent, or if
/// the job is cancelled before the verdict is known.
pub async fn run_script(
    context: &JobContext,
    folder: &StateFolder,
    key: &JobKey,
    script: Vec<u8>,
    stop: CancelRequest,
    console: &mut ConsoleWriter,
) -> Result<RunVerdict, ScriptRunError> {
    let stops = CancelSignals::new(&context.cancel, stop);
    context.events.scope(run_in_scope(context, folder, key, script, stops, console)).await
}

async fn run_in_scope(
    context: &JobContext,
    folder: &StateFolder,
    key: &JobKey,
    script: Vec<u8>,
    mut stops: CancelSignals,
    console: &mut ConsoleWriter,
) -> Result<RunVerdict, ScriptRunError> {
    let record = prepared(folder, key)?;
    record.note_in_log();
    let shell = shell_for(&record.shell, &script).map_err(|error| {
        let why = CauseReport::new(FailureCause::ShellMissing).with("program", error.shell.clone());
        why.because(format!("{error}."))
    })?;
    let job = TaskCommand::Script { shell, bytes: script };
    let run_id = random::token().map_err(StateError::host("drawing random bytes"))?;
    let reach = reconnect::to(&record, context.profile(), &context.masker)?;
    let over = || over(folder, key, &record, context);
    let connected = tokio::select! {
        connected = connect(&reach, over()) => connected,
        _ = stops.next() => return Err(ScriptRunError::Cancelled),
    };
    let ran_before = folder.has_script_mark(&record);
    // The mark must be on disk before the script is sent: if this process dies, a later stage must
    // know that a script may have run.
    let marked = !ran_before && connected.is_ok() && mark(folder, &record).await;
    let outcome = match connected {
        Ok(session) => {
            let notice = async || spot_notice(folder, &record, context).await;
            let watch = TaskWatch { over, notice };
            session::run(session, &reach, run_id, &job, console, &mut stops, watch).await
        }
        Err(outcome) => outcome,
    };
    if marked && !outcome.may_have_run() {
        folder.remove_script_mark(key);
    }
    if let ScriptOutcome::Ended { ending, output_left, .. } = outcome {
        FailPoint::ScriptEnded.reached();
        emit(JobEvent::ScriptEnded { status: ending.status() });
        if output_left {
            console.say(OUTPUT_LEFT);
            let _ = timeout(LAST_WORD, console.drained()).await;
        }
    }
    // A clean-up that is done has removed the record. Its stop may have ended the script.
    let cleaned_up = matches!(folder.record(key), Ok(None));
    let facts = JobFacts { cleaned_up, ran_before };
    let verdict = tokio::select! {
        verdict = verdict::of_outcome(folder, &record, context, &outcome, facts) => verdict,
        _ = stops.next() => return Err(ScriptRunError::Cancelled),
    };
    count_interruption(folder, &record, context, &verdict).await;
    Ok(verdict)
}

/// Notes that a script may run in the task from here on. Returns whether this call wrote the mark.
async fn mark(folder: &StateFolder, record: &JobRecord) -> bool {
    match folder.mark_script(record).await {
        Ok(()) => true,
        Err(error) => {
            // Without the mark, the job may only get a milder verdict than it deserves.
            emit(JobEvent::MarkNotWritten { message: error.to_string() });
            false
        }
    }
}

/// The job's record, once `prepare` has completed it.
fn prepared(folder: &StateFolder, key: &JobKey) -> Result<JobRecord, ScriptRunError> {
    let missing =
        |text: &str| CauseReport::new(FailureCause::StateMissing).because(text.to_owned());
    match folder.record(key)? {
        Some(record) if record.ready => Ok(record),
        Some(_) => Err(missing("`prepare` of this job did not end well.").into()),
        None if folder.tombstone(key).is_some() => {
            Err(CauseReport::new(FailureCause::StoppedByCleanup)
                .because("This job was already cleaned up.")
                .into())
        }
        None => Err(missing("There is no state file of this job.").into()),
    }
}

/// Opens a session with the task, which must show the pinned host key. Nothing was sent yet, so if
/// the network is gone, this waits as after a cut.
async fn connect(
    reach: &TaskConnector,
    over: impl Future<Output = String>,
) -> Result<TaskSession, ScriptOutcome> {
    let window = reach.timeouts.reconnect_window();
    let last: RefCell<Option<TaskConnectError>> = RefCell::default();
    let opening = reach.open(|missed| drop(last.replace(Some(missed))));
    let why = tokio::select! {
        opened = opening => return opened.map_err(|error| ScriptOutcome::shut(error, reach.address)),
        why = over => why,
        () = sleep(window) => format!("nobody answered within {}", duration(window)),
    };
    match last.take() {
        Some(TaskConnectError::Login(error @ LoginError::Stalled { .. })) => {
            Err(ScriptOutcome::shut(error, reach.address))
        }
        last => {
            let last = last.map_or_else(String::new, |last| format!(" ({last})"));
            Err(ScriptOutcome::Unreached { how: format!("At {}: {why}{last}", reach.address) })
        }
    }
}

/// Returns the reason once nobody can connect to the task again: it has ended, or the job was
/// cleaned up.
async fn over(
    folder: &StateFolder,
    key: &JobKey,
    record: &JobRecord,
    context: &JobContext,
) -> String {
    let cleaned_up = async {
        while !matches!(folder.record(key), Ok(None)) {
            sleep(LOOK_FOR_CLEANUP).await;
        }
    };
    tokio::select! {
        why = verdict::until_over(folder, record, context) => why,
        () = cleaned_up => "the job was cleaned up".to_owned(),
    }
}
