//! The last lines of the log of a container that ended before it ever answered, or that ended its
//! task.
//!
//! They are read only in these cases, within a few seconds. They never change the cause beside
//! which they are shown. If the host's role lacks the rights, everything else works as before, and
//! the log says once which rights are missing.

use std::time::Duration;

use fargate_aws::{CallError, LogStream, retry};
use fargate_events::{JobEvent, emit};
use fargate_mask::SharedMasker;
use fargate_model::cause::{CauseReport, FailureCause};
use fargate_state::LaunchRequest;
use fargate_state::StateFolder;
use tokio::time::{Instant, sleep, timeout_at};

use super::client::EcsClient;
use super::observation::ObservedTask;

/// Most lines that are shown.
const LINES: usize = 20;
/// Longest line that is shown, in characters.
const LONGEST_LINE: usize = 300;
/// Time limit for everything. Container runtimes pass lines on within 5 s.
const WITHIN: Duration = Duration::from_secs(6);
/// How long to wait before an empty log is read again.
const AGAIN: Duration = Duration::from_millis(500);
/// The right to find out where the log is.
const DEFINITION_RIGHT: &str = "ecs:DescribeTaskDefinition";

/// Adds to `why` the last lines of the container that ended: the one that `why` names, else the
/// job's.
pub async fn add_last_lines(
    why: CauseReport,
    ecs: &EcsClient,
    folder: &StateFolder,
    launch: &LaunchRequest,
    seen: &ObservedTask,
    deadline: Instant,
) -> CauseReport {
    let own = launch.containers.first().map_or("", |container| container.name.as_str());
    let other = why.facts.get("other").filter(|_| why.cause == FailureCause::ContainerEnded);
    let own = other.map_or(own, String::as_str);
    let ended = |name: Option<&str>| {
        let mut containers = seen.containers.iter().filter(|c| c.exit_code.is_some());
        containers.find(|container| name.is_none_or(|name| container.name == name))
    };
    let Some(container) = ended(Some(own)).or_else(|| ended(None)) else { return why };
    let refused = |right| folder.was_refused(right, ecs.region(), &launch.cluster);
    if [DEFINITION_RIGHT, LogStream::RIGHT].into_iter().any(refused) {
        return why;
    }
    let deadline = deadline.min(Instant::now() + WITHIN);
    let definition = seen.definition.as_deref().unwrap_or(&launch.task_definition);
    let task_id = seen.task.task_id();
    let find = || ecs.log_stream(definition, &container.name, task_id);
    let stream = match retry(deadline, find).await {
        Ok(None) => return why,
        Ok(Some(stream)) => stream,
        Err(error) => return unread(why, &error, ecs, folder, launch),
    };
    let stream_name = format!("group {}, stream {}", stream.group, stream.stream);
    match read(ecs, &stream, deadline).await {
        Ok(lines) if lines.is_empty() => why.because(format!("Its log is empty: {stream_name}.")),
        Ok(lines) => why.with("log", stream_name).ending_with(lines),
        Err(error) => unread(why, &error, ecs, folder, launch),
    }
}

fn too_late() -> CallError {
    CallError::NoAnswer { text: format!("no answer within {} s", WITHIN.as_secs()) }
}

/// Reads the last lines as soon as there are any. The log may arrive after the container's end.
async fn read(
    ecs: &EcsClient,
    stream: &LogStream,
    deadline: Instant,
) -> Result<Vec<String>, CallError> {
    let mut last = Err(too_late());
    loop {
        match timeout_at(deadline, ecs.account().last_events(stream, LINES)).await {
            Err(_) => return last,
            Ok(Ok(events)) if !events.is_empty() => return Ok(shown(&events, ecs.masker())),
            Ok(Ok(_)) => last = Ok(Vec::new()),
            Ok(Err(error)) if error.is_transient() || is_not_there(&error) => last = Err(error),
            Ok(Err(error)) => return Err(error),
        }
        if Instant::now() + AGAIN >= deadline {
            return last;
        }
        sleep(AGAIN).await;
    }
}

/// Whether the group or the stream does not exist, for example because nothing was written yet.
pub(super) fn is_not_there(error: &CallError) -> bool {
    match error {
        CallError::Elsewhere { error, .. } => is_not_there(error),
        CallError::Answered { code, .. } => code == "ResourceNotFoundException",
        _ => false,
    }
}

/// The lines without secrets, which may reach from one event into the next, and with control
/// characters escaped.
fn shown(events: &[String], masker: &SharedMasker) -> Vec<String> {
    let masked = masker.pieces(events);
    let line = |event: &String| masker.within(event.trim_end(), LONGEST_LINE);
    masked.iter().skip(events.len().saturating_sub(LINES)).map(line).collect()
}

/// Says why there are no lines, and which right is missing. After an hour it is asked for again.
fn unread(
    why: CauseReport,
    error: &CallError,
    ecs: &EcsClient,
    folder: &StateFolder,
    launch: &LaunchRequest,
) -> CauseReport {
    for right in [DEFINITION_RIGHT, LogStream::RIGHT] {
        if error.denies(right) {
            folder.remember_refusal(right, ecs.region(), &launch.cluster);
            emit(JobEvent::RightMissing {
                action: right.to_owned(),
                message: format!("the log of a container that ended is not shown: {error}"),
            });
            return why.because(format!(
                "Its log was not read: this host's role may not {right}, which would show its last lines here."
            ));
        }
    }
    emit(JobEvent::LogUnread {
        request_id: error.request_id().map(Into::into),
        message: error.to_string(),
    });
    why.quoting("Its log could not be read", error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_move_no_cursor_show_no_secret_and_are_few_and_short() {
        let masker = SharedMasker::default();
        masker.remember("canary-last-words-secret");
        let mut events: Vec<String> = (0..LINES).map(|n| format!("line {n}\r\n")).collect();
        events.extend(
            ["\x1b[2Jred canary-last-words", "-secret", &"x".repeat(1000)].map(str::to_owned),
        );
        let lines = shown(&events, &masker);
        assert_eq!((lines.len(), lines[0].as_str()), (LINES, "line 3"));
        assert_eq!(lines[LINES - 3..LINES - 1], ["\\x1b[2Jred [MASKED]", "[MASKED]"]);
        assert_eq!(lines[LINES - 1].chars().count(), LONGEST_LINE);
    }
}
