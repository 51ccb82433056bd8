//! The part of a rule after the colon: what happens to a call or to a task.

use std::time::Duration;

use super::line_error::RuleLineError;
use super::operations::{answers_in_json, starts_tasks};
use super::timing::{FaultTiming, turn};
use super::value;
use super::words::RuleWords;
use crate::fault::rule::OperationSelector;
use crate::fault::{AnswerEdit, CloudFault, CloudTaskPhase};
use crate::limits::BucketRate;

/// What can happen to a call.
const OF_CALLS: &str = "throttle, server error, error STATUS CODE \"MESSAGE\", failure \"REASON\", \
                        limit N/s, expire, reset before commit, reset after commit, hang, slow DURATION, \
                        trickle DURATION, answer STATUS \"BODY\", set POINTER = JSON, remove \
                        POINTER, lag DURATION, stale DURATION, behind DURATION, at PHASE + DURATION ...";
/// What can happen to a task.
const OF_TASKS: &str = "stop CODE \"REASON\", interrupt, hold, forget";
/// For how long the cloud remembers what a task was like.
const OLDEST: Duration = Duration::from_secs(600);

/// What happens to calls of these operations.
pub(super) fn of_call(
    words: &mut RuleWords<'_>,
    operations: &OperationSelector,
) -> Result<CloudFault, RuleLineError> {
    let kind = words.take();
    // Asked first: for an operation that the fault does not fit, the details do not matter.
    fits(kind, operations)?;
    Ok(match kind {
        "throttle" => CloudFault::throttled(),
        "server" => match words.take() {
            "error" => CloudFault::server_error(),
            given => return Err(value::expected("server", "`error`", given)),
        },
        "error" => exception(words)?,
        "failure" => {
            CloudFault::Failure { reason: text("failure", words)?, detail: detail(words)? }
        }
        "limit" => CloudFault::Limit(rate(words)?),
        "expire" => CloudFault::KeyExpires,
        "reset" => match (words.take(), words.take()) {
            ("before", "commit") => CloudFault::LostRequest,
            ("after", "commit") => CloudFault::LostAnswer,
            (given, _) => {
                return Err(value::expected("reset", "`before commit` or `after commit`", given));
            }
        },
        "hang" => CloudFault::Hang,
        "slow" => CloudFault::Slow(value::some_time("slow", words.take())?),
        "trickle" => CloudFault::Trickle(value::some_time("trickle", words.take())?),
        "answer" => CloudFault::Answer {
            status: status("answer", words.take())?,
            body: text("answer", words)?,
        },
        "set" => CloudFault::Altered(set(words)?),
        "remove" => {
            CloudFault::Altered(AnswerEdit::Remove { pointer: pointer("remove", words.take())? })
        }
        "lag" => CloudFault::Lag(value::some_time("lag", words.take())?),
        "stale" => CloudFault::Stale(age("stale", words.take())?),
        "behind" => CloudFault::StatusBehind(age("behind", words.take())?),
        "at" => {
            let turn = turn(words)?;
            of_task(words, turn)?
        }
        given => {
            let given = given.to_owned();
            return Err(RuleLineError::Answer { given, about: "a call", allowed: OF_CALLS });
        }
    })
}

/// What happens to a task at this state and time.
pub(super) fn of_task(
    words: &mut RuleWords<'_>,
    (phase, after): FaultTiming,
) -> Result<CloudFault, RuleLineError> {
    Ok(match words.take() {
        "stop" => stop(words, phase, after)?,
        "hold" if after.is_zero() => CloudFault::TaskHeld { phase },
        "hold" => return Err(RuleLineError::HeldLater),
        "interrupt" => {
            let grace = match words.is_done() {
                true => None,
                false => Some(value::duration("interrupt", words.take())?),
            };
            CloudFault::TaskInterrupted { phase, after, grace }
        }
        "forget" => CloudFault::TaskForgotten { phase, after },
        given => {
            let given = given.to_owned();
            return Err(RuleLineError::Answer { given, about: "a task", allowed: OF_TASKS });
        }
    })
}

/// Refuses a fault that makes no sense for one of the operations.
fn fits(kind: &str, operations: &OperationSelector) -> Result<(), RuleLineError> {
    let (what, allowed, fits): (_, &dyn Fn(&str) -> bool, _) = match kind {
        "failure" => (
            "failure",
            &|name| {
                let with_failures = ["RunTask", "DescribeTasks", "DescribeClusters"];
                with_failures.contains(&name) || name == "DescribeNetworkInterfaces"
            },
            "RunTask, DescribeTasks, DescribeClusters and DescribeNetworkInterfaces",
        ),
        "set" => ("set", &answers_in_json, "operations of ECS, named one by one"),
        "remove" => ("remove", &answers_in_json, "operations of ECS, named one by one"),
        "lag" => ("lag", &sees_tasks, "DescribeTasks and ListTasks"),
        "stale" => ("stale", &sees_tasks, "DescribeTasks and ListTasks"),
        "behind" => ("behind", &|name| name == "DescribeTasks", "DescribeTasks"),
        "at" => ("at", &starts_tasks, "RunTask, which starts the task"),
        _ => return Ok(()),
    };
    let operation = match operations {
        OperationSelector::Any => Some("any"),
        OperationSelector::These(names) => {
            names.iter().map(String::as_str).find(|name| !allowed(name))
        }
    };
    match operation {
        None => Ok(()),
        Some(operation) => {
            Err(RuleLineError::Unfit { what, operation: operation.to_owned(), fits })
        }
    }
}

fn sees_tasks(name: &str) -> bool {
    ["DescribeTasks", "ListTasks"].contains(&name)
}

/// `[STATUS] CODE ["MESSAGE"]`
fn exception(words: &mut RuleWords<'_>) -> Result<CloudFault, RuleLineError> {
    let has_status = words.peek().starts_with(|c: char| c.is_ascii_digit());
    let status = if has_status { status("error", words.take())? } else { 400 };
    let code = value::name("error", words.take())?;
    let message = words.quoted()?.unwrap_or_default();
    Ok(CloudFault::Exception { status, code, message })
}

fn status(after: &'static str, given: &str) -> Result<u16, RuleLineError> {
    let status = given.parse().ok().filter(|status| (200..=599).contains(status));
    status.ok_or_else(|| value::expected(after, "an HTTP status from 200 to 599", given))
}

fn text(after: &'static str, words: &mut RuleWords<'_>) -> Result<String, RuleLineError> {
    let quoted = words.quoted()?;
    quoted.ok_or_else(|| value::expected(after, "a text in quotes", words.peek()))
}

fn detail(words: &mut RuleWords<'_>) -> Result<Option<String>, RuleLineError> {
    words.take_if("detail").then(|| text("detail", words)).transpose()
}

/// `N/s [burst M]`
fn rate(words: &mut RuleWords<'_>) -> Result<BucketRate, RuleLineError> {
    let expected = "a rate above 0 and up to 1000000/s, as in `5/s`,";
    let given = words.take();
    let number = given.strip_suffix("/s").and_then(|number| number.parse::<f64>().ok());
    let per_second = number
        .filter(|number| *number > 0.0 && *number <= 1e6)
        .ok_or_else(|| value::expected("limit", expected, given))?;
    let burst = match words.take_if("burst") {
        // As many as in one second, but at least one.
        false => format!("{:.0}", per_second.ceil()).parse().unwrap_or(1),
        true => {
            let given = words.take();
            let burst = given.parse().ok().filter(|burst| (1..=1_000_000).contains(burst));
            burst.ok_or_else(|| value::expected("burst", "a number from 1 to 1000000", given))?
        }
    };
    Ok(BucketRate { burst, per_second })
}

/// `POINTER = JSON`, to the end of the line.
fn set(words: &mut RuleWords<'_>) -> Result<AnswerEdit, RuleLineError> {
    let pointer = pointer("set", words.take())?;
    if !words.take_if("=") {
        let expected = "`=` and a JSON value";
        return Err(value::expected("the pointer", expected, words.peek()));
    }
    let given = words.rest();
    let json = |why: serde_json::Error| RuleLineError::Json {
        given: given.to_owned(),
        why: why.to_string(),
    };
    let value = serde_json::from_str(given).map_err(json)?;
    *words = RuleWords::of("");
    Ok(AnswerEdit::Set { pointer, value })
}

fn pointer(after: &'static str, given: &str) -> Result<String, RuleLineError> {
    // A quotation mark would begin a text.
    match given.starts_with('/') && !given.contains('"') {
        true => Ok(given.to_owned()),
        false => Err(value::expected(after, "a JSON pointer, as in `/tasks/*/lastStatus`,", given)),
    }
}

fn age(after: &'static str, given: &str) -> Result<Duration, RuleLineError> {
    let age = value::some_time(after, given)?;
    match age <= OLDEST {
        true => Ok(age),
        false => Err(value::expected(after, "a duration of at most 10m", given)),
    }
}

/// `CODE "REASON" [container "REASON"] [exit N]`
fn stop(
    words: &mut RuleWords<'_>,
    phase: CloudTaskPhase,
    after: Duration,
) -> Result<CloudFault, RuleLineError> {
    let stop_code = value::name("stop", words.take())?;
    let stopped_reason = text("the stop code", words)?;
    let container_reason =
        words.take_if("container").then(|| text("container", words)).transpose()?;
    let exit_code = words.take_if("exit").then(|| exit_code(words.take())).transpose()?;
    Ok(CloudFault::TaskStops {
        phase,
        after,
        stop_code,
        stopped_reason,
        container_reason,
        exit_code,
    })
}

fn exit_code(given: &str) -> Result<i32, RuleLineError> {
    let code = given.parse().ok().filter(|code| (0..=255).contains(code));
    code.ok_or_else(|| value::expected("exit", "an exit code from 0 to 255", given))
}
