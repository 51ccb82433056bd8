//! `run`: one generated script in the job's task. Silent but for the script's own bytes.

use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use fargate_config::Profile;
use fargate_model::job::JobKey;
use fargate_model::text::duration;
use fargate_model::why::{Cause, Why};
use fargate_protocol::{Ending, MAX_SCRIPT, Signal};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::info;

use super::StageError;
use crate::point::Point;
use crate::random;
use crate::session::{
    ClientKey, Console, HostProof, Job, Login, LoginError, Outcome, Session, Stop, Stops, dial,
    parse_host_key, shell_for,
};
use crate::state::{Folder, Peer, Record, StateError};
use crate::task::{Place, login_failed};
use crate::verdict::{self, Verdict};

/// So many silent dials, and ECS is asked what became of a task that has answered before.
const DIALS: u32 = 5;
/// For a line of ours behind the script's output; a reader that is slower misses it.
const LAST_WORD: Duration = Duration::from_secs(2);
/// Said once the script has ended, because from there on output is missing.
const OUTPUT_LEFT: &str = "fargate-runner: a process that the script left behind still holds its output; what it writes from here on is not shown\n";

/// Runs the script in the file `script` and passes its output on to `console`.
///
/// # Errors
///
/// [`StageError`], whose exit code says who is to blame.
pub async fn run(
    folder: &Folder,
    key: &JobKey,
    profile: &Profile,
    script: &Path,
    console: &mut Console,
) -> Result<(), StageError> {
    let timeouts = &profile.timeouts;
    let mut stops = Stops::new(Stop {
        signal: Signal::Term,
        grace: timeouts.cancel_grace,
        leave_after: timeouts.cancel_return,
    })
    .map_err(StateError::host("listening for signals"))?;
    let bytes = read_script(script)
        .map_err(|source| StageError::ScriptFile { path: script.to_owned(), source })?;
    let record = prepared(folder, key)?;
    record.note_in_log();
    let shell = shell_for(&record.shell, &bytes).map_err(|error| {
        let why = Why::new(Cause::ShellMissing).with("program", error.shell.clone());
        why.because(format!("{error}."))
    })?;
    let job = Job::Script { shell, bytes };
    let session = tokio::select! {
        session = connect(&record, profile) => session?,
        _ = stops.next() => return Err(StageError::Cancelled { task: None }),
    };
    let run_id = random::token().map_err(StateError::host("drawing random bytes"))?;
    let outcome = session.run(run_id, &job, console, &mut stops).await;
    if matches!(outcome, Outcome::Ended { .. }) {
        Point::ScriptEnded.reached();
    }
    if let Outcome::Ended { output_left: true, .. } = outcome {
        console.say(OUTPUT_LEFT);
        let _ = timeout(LAST_WORD, console.drained()).await;
    }
    tokio::select! {
        concluded = conclude(folder, key, &record, profile, told(outcome)) => concluded,
        _ = stops.next() => Err(StageError::Cancelled { task: None }),
    }
}

/// The whole script; only a regular file ends, and only one that the agent takes is read.
fn read_script(path: &Path) -> std::io::Result<Vec<u8>> {
    let file = std::fs::OpenOptions::new()
        .read(true)
        .custom_flags(nix::fcntl::OFlag::O_NONBLOCK.bits())
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(std::io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_SCRIPT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_SCRIPT {
        return Err(std::io::Error::other("it is larger than 256 MiB"));
    }
    Ok(bytes)
}

/// The job's record, once `prepare` is done with it.
fn prepared(folder: &Folder, key: &JobKey) -> Result<Record, StageError> {
    let missing = |text: &str| Why::new(Cause::StateMissing).because(text.to_owned());
    match folder.record(key)? {
        Some(record) if record.ready => Ok(record),
        Some(_) => Err(missing("`prepare` of this job did not end well.").into()),
        None if folder.tombstone(key).is_some() => Err(Why::new(Cause::StoppedByCleanup)
            .because("This job was already cleaned up.")
            .into()),
        None => Err(missing("There is no state file of this job.").into()),
    }
}

/// Opens a session with the task, whose host key must be the pinned one.
async fn connect(record: &Record, profile: &Profile) -> Result<Session, StageError> {
    let timeouts = &profile.timeouts;
    let damaged = |what: &str| Why::new(Cause::StateDamaged).because(format!("No usable {what}."));
    let address = record.address.ok_or_else(|| damaged("address"))?;
    let pinned = parse_host_key(&record.host_key).map_err(|_| damaged("host key"))?;
    let host = match &record.peer {
        Some(Peer::Agent(_)) => HostProof::Agent(pinned),
        Some(Peer::Sshd(_)) => HostProof::Pinned(pinned),
        None => return Err(damaged("peer").into()),
    };
    let login = Login {
        user: record.user.clone(),
        key: ClientKey::parse(record.client_key.expose()).map_err(|_| damaged("client key"))?,
        host,
    };
    let within = timeouts.handshake.min(timeouts.dial * DIALS);
    let deadline = Instant::now() + within;
    let mut last = None;
    let stream = timeout_at(deadline, dial(address, timeouts, |error| last = Some(error))).await;
    let Ok(stream) = stream else {
        let how = format!("{address} did not answer within {}: {last:?}", duration(within));
        return Err(of_verdict(verdict::of_lost_task(record, profile, &how).await, true));
    };
    match Session::open(stream, &login, timeouts).await {
        Ok((session, _)) => Ok(session),
        Err(error @ LoginError::Broken { .. }) => {
            let how = error.to_string();
            Err(of_verdict(verdict::of_lost_task(record, profile, &how).await, true))
        }
        Err(error) => {
            let why = login_failed(&error, address, &Place::default());
            if why.cause == Cause::WrongHost {
                tracing::error!(event = "security.wrong_host", address = %address, "{error}");
            }
            Err(why.into())
        }
    }
}

/// What a session's outcome says about the script, as far as it does.
enum How {
    Ended(Ending),
    AskEcs { how: String, before_script: bool },
    Why(Why),
    Cancelled,
}

fn told(outcome: Outcome) -> How {
    match outcome {
        Outcome::Ended { stopped: true, .. } => How::Cancelled,
        // Status 0 was received: nothing that happens to the task can take it back.
        Outcome::Ended { ending: ending @ Ending::Code { code: 0 }, .. } => How::Ended(ending),
        Outcome::Ended { terminating: true, .. } => How::AskEcs {
            how: "The task was ended while the script ran".to_owned(),
            before_script: false,
        },
        Outcome::Ended { ending, terminating: false, .. } => How::Ended(ending),
        Outcome::Left => How::Cancelled,
        Outcome::Superseded => How::Why(
            Why::new(Cause::Superseded).because("Another `run` of this job took its place."),
        ),
        Outcome::NoShell { how } => {
            How::Why(Why::new(Cause::LoginShell).because(format!("Nothing was started: {how}.")))
        }
        Outcome::Refused(refusal) => How::Why(verdict::of_refusal(&refusal)),
        Outcome::Lost { how, received, started: true } => {
            let how = format!("The connection was cut after {received} bytes of output: {how}");
            How::AskEcs { how, before_script: false }
        }
        Outcome::Lost { how, started: false, .. } => {
            let how = format!("The connection was cut before the script started: {how}");
            How::AskEcs { how, before_script: true }
        }
        Outcome::OutputClosed => {
            How::Why(Why::new(Cause::Output).because("Whoever read this process's output is gone."))
        }
    }
}

async fn conclude(
    folder: &Folder,
    key: &JobKey,
    record: &Record,
    profile: &Profile,
    how: How,
) -> Result<(), StageError> {
    match how {
        // The watchdog may have ended the script before it ended the task.
        How::Ended(ending) if ending.status() != 0 && verdict::is_past_watchdog(record) => {
            let how = "The script ended after the task's deadline";
            Err(of_verdict(verdict::of_lost_task(record, profile, how).await, true))
        }
        How::Ended(ending) => {
            info!(event = "script.ended", status = ending.status());
            match ending.status() {
                0 => Ok(()),
                status => Err(StageError::Script { status }),
            }
        }
        How::Cancelled => Err(StageError::Cancelled { task: None }),
        How::Why(why) => Err(why.into()),
        How::AskEcs { how, before_script } => {
            if matches!(folder.record(key), Ok(None)) {
                let why = Why::new(Cause::StoppedByCleanup).because(format!("{how}."));
                return Err(why.into());
            }
            Err(of_verdict(verdict::of_lost_task(record, profile, &how).await, before_script))
        }
    }
}

/// A verdict that ECS gave. Before a script was started, nothing can be the job's failure.
fn of_verdict(verdict: Verdict, before_script: bool) -> StageError {
    match verdict {
        Verdict::Job(_, why) if before_script => StageError::System(why),
        Verdict::Job(status, why) => StageError::Job { status, why },
        Verdict::System(why) => StageError::System(why),
    }
}
