//! `GetLogEvents` of CloudWatch Logs: the events of one stream, the newest unless asked otherwise.
//!
//! Source, for shape and errors: Amazon CloudWatch Logs API Reference, `GetLogEvents`.

use std::time::SystemTime;

use serde_json::json;

use super::{Outcome, Scene, required};
use crate::state::names::ACCOUNT;
use crate::streams::{Missing, Name};
use crate::wire::member::shapes;
use crate::wire::refusal::Refusal;

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

impl GetLogEvents {
    pub fn perform(self, scene: &Scene<'_>) -> Outcome {
        let group = required(self.log_group_name.as_ref(), "logGroupName")?;
        let stream = required(self.log_stream_name.as_ref(), "logStreamName")?;
        let limit = self.limit.unwrap_or(MOST);
        if !(1..=MOST).contains(&limit) {
            return Err(Refusal::parameter(format!(
                "1 validation error detected: Value '{limit}' at 'limit' failed to satisfy constraint: \
                 Member must have value between 1 and {MOST}"
            )));
        }
        let (region, partition) = (scene.region, scene.partition());
        let arn = format!(
            "arn:{partition}:logs:{region}:{ACCOUNT}:log-group:{group}:log-stream:{stream}"
        );
        scene.allowed("logs:GetLogEvents", Some(&arn))?;
        let name =
            Name { region: region.to_owned(), group: group.to_owned(), stream: stream.to_owned() };
        let kept = scene.cloud.backend.streams().read(&name).map_err(|missing| {
            let what = match missing {
                Missing::Group => "The specified log group does not exist.",
                Missing::Stream => "The specified log stream does not exist.",
            };
            Refusal::new("ResourceNotFoundException", what)
        })?;
        let (from, until) = (self.start_time.unwrap_or(0), self.end_time.unwrap_or(i64::MAX));
        let mut events: Vec<_> =
            kept.into_iter().filter(|event| (from..until).contains(&unix_ms(event.time))).collect();
        let limit = usize::try_from(limit).expect("checked above");
        match self.next_token.as_deref().map(position) {
            Some(None) => {
                return Err(Refusal::parameter("The specified nextToken is invalid."));
            }
            Some(Some(Position::Forward(number))) => {
                events.retain(|event| event.number >= number);
                events.truncate(limit);
            }
            Some(Some(Position::Backward(number))) => {
                events.retain(|event| event.number < number);
                events.drain(..events.len().saturating_sub(limit));
            }
            None if self.start_from_head == Some(true) => events.truncate(limit),
            None => drop(events.drain(..events.len().saturating_sub(limit))),
        }
        let first = events.first().map_or(0, |event| event.number);
        let next = events.last().map_or(first, |event| event.number + 1);
        let shown: Vec<_> = events
            .iter()
            .map(|event| {
                let time = unix_ms(event.time);
                json!({ "timestamp": time, "ingestionTime": time, "message": event.message })
            })
            .collect();
        Ok(json!({
            "events": shown,
            "nextForwardToken": format!("f/{next:056}"),
            "nextBackwardToken": format!("b/{first:056}"),
        }))
    }
}

enum Position {
    Forward(u64),
    Backward(u64),
}

/// A token is opaque for everybody else.
fn position(token: &str) -> Option<Position> {
    let (way, number) = token.split_once('/')?;
    let number = number.parse().ok()?;
    match way {
        "f" => Some(Position::Forward(number)),
        "b" => Some(Position::Backward(number)),
        _ => None,
    }
}

fn unix_ms(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
