//! What containers with the log driver `awslogs` wrote. Only the end of each stream is kept, in events of
//! one line, so a container that writes without end does not fill the memory. A group exists as soon as
//! it has a stream; nobody has to create it.
//!
//! Source of the names: Amazon ECS Developer Guide, "Send Amazon ECS logs to CloudWatch".

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

/// Events of one stream that are kept.
const EVENTS: usize = 1000;
/// Bytes of one stream's messages that are kept.
const BYTES: usize = 256 * 1024;
/// Streams that are kept, the newest.
const STREAMS: usize = 1000;
/// The longest event. A longer line becomes several events, as container runtimes split it.
const PIECE: usize = 16 * 1024;

/// The name of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogStreamName {
    pub region: String,
    pub group: String,
    pub stream: String,
}

/// One line, or a part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudLogEvent {
    /// Counted from the stream's beginning.
    pub number: u64,
    pub time: SystemTime,
    pub message: String,
}

struct CloudLogStream {
    name: LogStreamName,
    events: VecDeque<CloudLogEvent>,
    bytes: usize,
    next: u64,
    /// The bytes since the end of the last line.
    line: Vec<u8>,
}

/// All streams of one cloud.
#[derive(Default)]
pub struct CloudLogStreams(Mutex<VecDeque<CloudLogStream>>);

/// Writes the output of one container to its stream.
#[derive(Clone)]
pub struct LogStreamWriter {
    pub streams: Arc<CloudLogStreams>,
    pub name: LogStreamName,
}

impl LogStreamWriter {
    /// Creates the stream without events, unless it exists.
    pub fn open(&self) {
        self.streams.open(&self.name);
    }

    /// Adds what the container wrote; `over` when it will write no more.
    pub fn append(&self, bytes: &[u8], over: bool) {
        self.streams.append(&self.name, bytes, over);
    }
}

/// Why a stream cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogNotFound {
    Group,
    Stream,
}

impl CloudLogStreams {
    /// Creates a stream without events, unless it exists.
    pub fn open(&self, name: &LogStreamName) {
        let mut streams = self.0.lock().expect("no one panics while holding the streams");
        if streams.iter().any(|stream| stream.name == *name) {
            return;
        }
        if streams.len() >= STREAMS {
            streams.pop_front();
        }
        let (events, line) = (VecDeque::new(), Vec::new());
        streams.push_back(CloudLogStream { name: name.clone(), events, bytes: 0, next: 0, line });
    }

    /// Adds what a container wrote; `over` when it will write no more.
    pub fn append(&self, name: &LogStreamName, bytes: &[u8], over: bool) {
        let mut streams = self.0.lock().expect("no one panics while holding the streams");
        let Some(stream) = streams.iter_mut().find(|stream| stream.name == *name) else { return };
        for &byte in bytes {
            if byte == b'\n' {
                stream.end_line();
            } else {
                stream.line.push(byte);
                if stream.line.len() >= PIECE {
                    stream.end_line();
                }
            }
        }
        if over && !stream.line.is_empty() {
            stream.end_line();
        }
    }

    /// The groups of a Region that have a stream.
    pub fn groups(&self, region: &str) -> Vec<String> {
        let streams = self.0.lock().expect("no one panics while holding the streams");
        let here = streams.iter().filter(|stream| stream.name.region == region);
        here.map(|stream| stream.name.group.clone()).collect()
    }

    /// The events that are kept of a stream, oldest first.
    pub fn read(&self, name: &LogStreamName) -> Result<Vec<CloudLogEvent>, LogNotFound> {
        let streams = self.0.lock().expect("no one panics while holding the streams");
        if let Some(stream) = streams.iter().find(|stream| stream.name == *name) {
            return Ok(stream.events.iter().cloned().collect());
        }
        let in_group = |stream: &CloudLogStream| {
            (&stream.name.region, &stream.name.group) == (&name.region, &name.group)
        };
        Err(if streams.iter().any(in_group) { LogNotFound::Stream } else { LogNotFound::Group })
    }
}

impl CloudLogStream {
    /// Makes the line an event. An event has at least one character, so an empty line becomes a blank.
    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let message = match line.is_empty() {
            true => " ".to_owned(),
            false => String::from_utf8_lossy(&line).into_owned(),
        };
        self.bytes += message.len();
        self.events.push_back(CloudLogEvent {
            number: self.next,
            time: SystemTime::now(),
            message,
        });
        self.next += 1;
        while self.events.len() > EVENTS || self.bytes > BYTES {
            let oldest = self.events.pop_front().expect("what is too much is something");
            self.bytes -= oldest.message.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(stream: &str) -> LogStreamName {
        let text = str::to_owned;
        LogStreamName { region: text("eu-west-1"), group: text("ci"), stream: text(stream) }
    }

    fn messages(streams: &CloudLogStreams) -> Vec<String> {
        let events = streams.read(&name("a")).unwrap();
        events.into_iter().map(|event| event.message).collect()
    }

    #[test]
    fn lines_become_events_however_they_were_written() {
        let streams = CloudLogStreams::default();
        assert_eq!(streams.read(&name("a")), Err(LogNotFound::Group));
        streams.open(&name("a"));
        assert_eq!(streams.read(&name("b")), Err(LogNotFound::Stream));
        for part in ["one\ntw", "o\n\nla", "st"] {
            streams.append(&name("a"), part.as_bytes(), false);
        }
        assert_eq!(messages(&streams), ["one", "two", " "]);
        streams.append(&name("a"), b"", true);
        assert_eq!(messages(&streams), ["one", "two", " ", "last"]);
    }

    #[test]
    fn only_the_end_is_kept_and_a_long_line_is_several_events() {
        let streams = CloudLogStreams::default();
        streams.open(&name("a"));
        for n in 0..EVENTS + 5 {
            streams.append(&name("a"), format!("{n}\n").as_bytes(), false);
        }
        let kept = streams.read(&name("a")).unwrap();
        assert_eq!((kept.len(), kept[0].number, kept[0].message.as_str()), (EVENTS, 5, "5"));
        streams.append(&name("a"), &[b'x'; 40 * PIECE], true);
        let kept = streams.read(&name("a")).unwrap();
        assert!(kept.iter().all(|event| event.message.len() <= PIECE));
        assert!(kept.iter().map(|event| event.message.len()).sum::<usize>() <= BYTES);
    }
}
