//! `GetLogEvents` of CloudWatch Logs: the events of one stream, from the newest back unless the request
//! says otherwise.
//!
//! Source, for shape and errors: Amazon CloudWatch Logs API Reference, `GetLogEvents`.

use std::time::SystemTime;

use serde_json::json;

use std::sync::Arc;

use super::streams::CloudLogStreams;
use crate::account::ACCOUNT;
use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::services::logs::streams::{CloudLogEvent, LogNotFound, LogStreamName};
use crate::services::member_checks::required;
use crate::wire::exception::ServiceException;
use crate::wire::member::shapes;

/// Most events of one answer.
const MOST: i32 = 10_000;

shapes! {
    GetLogEvents {
        log_group_name: String = "logGroupName",
        log_group_identifier: String = "logGroupIdentifier",
        log_stream_name: String = "logStreamName",
        start_time: i64 = "startTime",
        end_time: i64 = "endTime",
        next_token: String = "nextToken",
        limit: i32 = "limit",
        start_from_head: bool = "startFromHead",
    }
}

impl JsonRequest for GetLogEvents {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        let group = required(self.log_group_name.as_ref(), "logGroupName")?;
        let stream = required(self.log_stream_name.as_ref(), "logStreamName")?;
        let limit = self.most()?;
        let kept = kept(context, group, stream)?;
        let token = self.next_token.as_deref().map(position).transpose()?;
        let events = self.page(kept, token, limit);
        let shown: Vec<_> = events
            .iter()
            .map(|event| {
                let time = unix_ms(event.time);
                json!({ "timestamp": time, "ingestionTime": time, "message": event.message })
            })
            .collect();
        let (first, next) = ends(&events, token);
        Ok(json!({
            "events": shown,
            "nextForwardToken": format!("f/{next:056}"),
            "nextBackwardToken": format!("b/{first:056}"),
        }))
    }
}

impl GetLogEvents {
    /// The most events that the request asks for.
    fn most(&self) -> Result<usize, ServiceException> {
        let limit = self.limit.unwrap_or(MOST);
        let most = usize::try_from(limit).ok().filter(|_| (1..=MOST).contains(&limit));
        most.ok_or_else(|| {
            ServiceException::parameter(format!(
                "1 validation error detected: Value '{limit}' at 'limit' failed to satisfy constraint: \
                 Member must have value between 1 and {MOST}"
            ))
        })
    }

    /// The events that the request asks for.
    fn page(
        &self,
        mut events: Vec<CloudLogEvent>,
        token: Option<LogPosition>,
        limit: usize,
    ) -> Vec<CloudLogEvent> {
        let (from, until) = (self.start_time.unwrap_or(0), self.end_time.unwrap_or(i64::MAX));
        events.retain(|event| (from..until).contains(&unix_ms(event.time)));
        let is_forward = match token {
            Some(LogPosition::Forward(number)) => {
                events.retain(|event| event.number >= number);
                true
            }
            Some(LogPosition::Backward(number)) => {
                events.retain(|event| event.number < number);
                false
            }
            None => self.start_from_head == Some(true),
        };
        match is_forward {
            true => events.truncate(limit),
            false => drop(events.drain(..events.len().saturating_sub(limit))),
        }
        events
    }
}

/// All events of a stream. The caller needs the right to read this stream.
fn kept(
    context: &RequestContext<'_>,
    group: &str,
    stream: &str,
) -> Result<Vec<CloudLogEvent>, ServiceException> {
    let (region, partition) = (context.region, context.partition());
    let arn =
        format!("arn:{partition}:logs:{region}:{ACCOUNT}:log-group:{group}:log-stream:{stream}");
    context.allowed("logs:GetLogEvents", Some(&arn))?;
    let name = LogStreamName {
        region: region.to_owned(),
        group: group.to_owned(),
        stream: stream.to_owned(),
    };
    context.cloud.states.of::<Arc<CloudLogStreams>>().read(&name).map_err(|missing| {
        let what = match missing {
            LogNotFound::Group => "The specified log group does not exist.",
            LogNotFound::Stream => "The specified log stream does not exist.",
        };
        ServiceException::new("ResourceNotFoundException", what)
    })
}

/// The number of the first event, and the number after the last. At either end of the stream the given
/// token comes back, which tells the reader that there is no more.
fn ends(events: &[CloudLogEvent], token: Option<LogPosition>) -> (u64, u64) {
    match (events, token) {
        ([first, ..], _) => {
            (first.number, events.last().map_or(first.number, |last| last.number + 1))
        }
        ([], Some(LogPosition::Forward(number) | LogPosition::Backward(number))) => {
            (number, number)
        }
        ([], None) => (0, 0),
    }
}

#[derive(Clone, Copy)]
enum LogPosition {
    Forward(u64),
    Backward(u64),
}

/// Reads a token, which is opaque for clients.
fn position(token: &str) -> Result<LogPosition, ServiceException> {
    let parts = token.split_once('/').and_then(|(way, number)| Some((way, number.parse().ok()?)));
    match parts {
        Some(("f", number)) => Ok(LogPosition::Forward(number)),
        Some(("b", number)) => Ok(LogPosition::Backward(number)),
        _ => Err(ServiceException::parameter("The specified nextToken is invalid.")),
    }
}

fn unix_ms(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
