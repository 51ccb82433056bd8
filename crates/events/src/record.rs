//! An event with its time and version: the form in which it is kept and read later, perhaps by
//! another version of this program.
//!
//! It names no job: a file or a table of events does that for all of its rows.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::job_event::JobEvent;

/// One event that happened. As JSON:
/// `{"version":1,"time_ms":1796083200000,"event":{"name":"script.ended","status":0}}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventRecord {
    /// The version of the event's schema that the writer knew. A reader that knows a lower one, or an
    /// unknown name, passes the record over.
    pub version: u32,
    /// When it happened: milliseconds since 1970, UTC.
    pub time_ms: u64,
    /// What happened.
    pub event: JobEvent,
}

impl EventRecord {
    /// The record of an event that happened at `time`.
    #[must_use]
    pub fn new(time: SystemTime, event: JobEvent) -> Self {
        let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let time_ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        Self { version: event.schema().version, time_ms, event }
    }
}
