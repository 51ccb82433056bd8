//! The one call to CloudWatch Logs: what a container wrote, its last lines or page by page.
//!
//! The call is made once; the caller repeats it if needed. The lines are not masked or escaped
//! here.
//!
//! Source: Amazon CloudWatch Logs API Reference, version 2014-03-28, `GetLogEvents` and "Common
//! errors".

use serde::Deserialize;
use serde_json::json;

use crate::account::AwsAccount;
use crate::call::CallError;
use crate::json_refusal::refusal;
use crate::signed_request::UnsignedRequest;

const WHO: &str = "CloudWatch Logs";
const HEADERS: &[(&str, &str)] = &[
    ("content-type", "application/x-amz-json-1.1"),
    ("x-amz-target", "Logs_20140328.GetLogEvents"),
];
/// Longest answer that is read. An answer holds at most 1 MB of messages, and JSON escapes some
/// characters.
const LONGEST: usize = 4 * 1024 * 1024;

/// The log stream that gets a container's output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogStream {
    /// Its Region, if the task definition names one.
    pub region: Option<String>,
    /// The log group.
    pub group: String,
    /// The stream in the group.
    pub stream: String,
}

impl LogStream {
    /// The right that is needed to read a stream.
    pub const RIGHT: &'static str = "logs:GetLogEvents";
}

impl AwsAccount {
    /// The last events of a stream, oldest first, at most this many, unchanged.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if the call is refused, or if no usable answer comes.
    pub async fn last_events(
        &self,
        stream: &LogStream,
        most: usize,
    ) -> Result<Vec<String>, CallError> {
        let asked = json!({
            "logGroupName": stream.group, "logStreamName": stream.stream, "limit": most,
        });
        Ok(self.events(stream, &asked).await?.messages)
    }

    /// The next events of a stream, oldest first, unchanged. `after` is [`ContainerLogPage::next`] of the
    /// page before; without it, the first page of the stream.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if the call is refused, or if no usable answer comes.
    pub async fn next_events(
        &self,
        stream: &LogStream,
        after: Option<&str>,
    ) -> Result<ContainerLogPage, CallError> {
        let mut asked = json!({
            "logGroupName": stream.group, "logStreamName": stream.stream, "startFromHead": true,
        });
        if let Some(after) = after {
            asked["nextToken"] = after.into();
        }
        self.events(stream, &asked).await
    }

    async fn events(
        &self,
        stream: &LogStream,
        asked: &serde_json::Value,
    ) -> Result<ContainerLogPage, CallError> {
        let region = stream.region.as_deref().unwrap_or(&self.region);
        let endpoint = self.endpoint_in(region, "logs");
        let question = UnsignedRequest {
            who: WHO,
            service: "logs",
            region,
            endpoint: endpoint.clone(),
            headers: HEADERS,
            body: asked.to_string(),
            longest: LONGEST,
        };
        let answer = self.ask(question).await.and_then(|said| match said.status {
            200..300 => page(&said.body),
            _ => Err(self.judged(refusal(&said, &self.masker))),
        });
        answer.map_err(|error| CallError::Elsewhere {
            service: WHO,
            endpoint,
            right: LogStream::RIGHT,
            error: Box::new(error),
        })
    }
}

/// A part of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerLogPage {
    /// What was written, one text for each event.
    pub messages: Vec<String>,
    /// Where the next page begins. If it is what was asked for, the stream has no more by now.
    pub next: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContainerLogResponse {
    events: Vec<ContainerLogEvent>,
    #[serde(default)]
    next_forward_token: Option<String>,
}

#[derive(Deserialize)]
struct ContainerLogEvent {
    #[serde(default)]
    message: String,
}

fn page(body: &str) -> Result<ContainerLogPage, CallError> {
    let read: ContainerLogResponse = serde_json::from_str(body).map_err(|error| {
        // The error's own message might repeat a part of the log.
        let (line, column) = (error.line(), error.column());
        let text = format!("{WHO}'s answer is not as documented at line {line}, column {column}");
        CallError::Unreadable { text }
    })?;
    let messages = read.events.into_iter().map(|event| event.message).collect();
    Ok(ContainerLogPage { messages, next: read.next_forward_token })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_messages_are_read_in_their_order() {
        let body = r#"{"events": [{"timestamp": 1, "message": "one\u001b[2J"}, {"message": "two"}, {}],
            "nextForwardToken": "f/1"}"#;
        let read = page(body).unwrap();
        assert_eq!(read.messages, ["one\u{1b}[2J", "two", ""]);
        assert_eq!(read.next.as_deref(), Some("f/1"));
    }

    #[test]
    fn odd_answers_are_errors_that_repeat_nothing_and_never_a_panic() {
        let deep = "[".repeat(100_000);
        for odd in ["", "{}", r#"{"events": "canary"}"#, r#"{"events": [{"message": 5}]}"#, &deep] {
            let error = page(odd).unwrap_err().to_string();
            assert!(!error.contains("canary"), "{error}");
        }
    }
}
