//! What BuildKit tells of its steps: which begin, which come from the cache, and what they write.
//!
//! Source: moby/buildkit, api/services/control/control.proto: `StatusResponse`, `Vertex`, `VertexLog`.

use std::collections::HashMap;

use super::build_log::BuildLog;
use super::protobuf::MessageFields;
use crate::event::OutputStream;

/// The steps so far.
#[derive(Default)]
pub(super) struct BuildkitTrace {
    steps: HashMap<String, TracedStep>,
    /// The digest of the step that the log is at.
    current: String,
}

#[derive(Default)]
struct TracedStep {
    name: String,
    begun: bool,
    cached: bool,
    open_line: [String; 2],
}

impl BuildkitTrace {
    /// Takes in one message.
    pub fn take(&mut self, message: &[u8], log: &mut BuildLog) {
        for (field, value) in MessageFields(message) {
            match field {
                1 => self.vertex(value.bytes(), log),
                3 => self.log_piece(value.bytes(), log),
                _ => {}
            }
        }
    }

    /// The build ended; what is left are lines.
    pub fn end(&mut self, log: &mut BuildLog) {
        for step in self.steps.values_mut() {
            for line in step.open_line.iter_mut().filter(|line| !line.is_empty()) {
                log.line(OutputStream::Stdout, &std::mem::take(line));
            }
        }
    }

    fn vertex(&mut self, message: &[u8], log: &mut BuildLog) {
        let (mut digest, mut name) = (String::new(), String::new());
        let (mut cached, mut started, mut error) = (false, false, String::new());
        for (field, value) in MessageFields(message) {
            match field {
                1 => digest = value.text(),
                3 => name = value.text(),
                4 => cached = value.number() != 0,
                5 => started = true,
                7 => error = value.text(),
                _ => {}
            }
        }
        let step = self.steps.entry(digest.clone()).or_default();
        step.name = name;
        let begins = started && !step.begun;
        step.begun |= started;
        let is_from_cache = cached && !step.cached;
        step.cached |= cached;
        let Some((number, of, text)) = numbered(&step.name) else { return };
        if begins {
            log.begin_step(number, of, text);
        } else if is_from_cache || !error.is_empty() {
            log.return_to_step(number, of, text);
        }
        if is_from_cache {
            log.step_was_cached();
        }
        if begins || !error.is_empty() {
            self.current = digest;
        }
    }

    fn log_piece(&mut self, message: &[u8], log: &mut BuildLog) {
        let (mut digest, mut stream, mut text) = (String::new(), 1, String::new());
        for (field, value) in MessageFields(message) {
            match field {
                1 => digest = value.text(),
                3 => stream = value.number(),
                4 => text = value.text(),
                _ => {}
            }
        }
        let step = self.steps.entry(digest.clone()).or_default();
        if digest != self.current
            && let Some((number, of, text)) = numbered(&step.name)
        {
            log.return_to_step(number, of, text);
            self.current = digest;
        }
        let (at, stream) =
            if stream == 2 { (1, OutputStream::Stderr) } else { (0, OutputStream::Stdout) };
        for part in text.split_inclusive('\n') {
            step.open_line[at].push_str(part);
            if part.ends_with('\n') || step.open_line[at].len() > LONGEST_LINE {
                log.line(stream, &std::mem::take(&mut step.open_line[at]));
            }
        }
    }
}

/// Longest line that is put together, in bytes. A longer one is told in pieces.
const LONGEST_LINE: usize = 64 * 1024;

/// `[2/4] RUN make` or `[build 2/4] RUN make`; other names are of the engine's own work.
fn numbered(name: &str) -> Option<(u32, u32, &str)> {
    let (place, text) = name.strip_prefix('[')?.split_once("] ")?;
    let (number, of) = place.rsplit(' ').next()?.split_once('/')?;
    Some((number.parse().ok()?, of.parse().ok()?, text))
}

#[cfg(test)]
mod tests {
    use super::super::protobuf::put_bytes;
    use super::*;
    use crate::event::{ImageEvent, ImageEvents};
    use std::sync::{Arc, Mutex};

    fn vertex(digest: &str, name: &str, rest: &[u8]) -> Vec<u8> {
        let mut vertex = Vec::new();
        put_bytes(&mut vertex, 1, digest.as_bytes());
        put_bytes(&mut vertex, 3, name.as_bytes());
        vertex.extend_from_slice(rest);
        let mut message = Vec::new();
        put_bytes(&mut message, 1, &vertex);
        message
    }

    fn piece(digest: &str, stream: u8, text: &str) -> Vec<u8> {
        let mut piece = Vec::new();
        put_bytes(&mut piece, 1, digest.as_bytes());
        piece.extend([0x18, stream]);
        put_bytes(&mut piece, 4, text.as_bytes());
        let mut message = Vec::new();
        put_bytes(&mut message, 3, &piece);
        message
    }

    #[test]
    fn steps_side_by_side_and_repeated_news_become_one_order() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let listener = Arc::clone(&told);
        let events = ImageEvents::to(move |event| listener.lock().unwrap().push(event));
        let mut log =
            BuildLog::new(events, fargate_mask::SharedMasker::default(), Default::default());
        let mut trace = BuildkitTrace::default();
        let (started, cached) = ([0x2a, 0], [0x2a, 0, 0x20, 1]);
        for message in [
            vertex("i", "[internal] load metadata", &started),
            vertex("a", "[1/2] FROM x", &[]),
            vertex("a", "[1/2] FROM x", &cached),
            vertex("a", "[1/2] FROM x", &cached),
            vertex("b", "[tools 2/2] RUN b", &started),
            piece("b", 1, "half "),
            piece("b", 2, "bad\n"),
            piece("b", 1, "line\nopen"),
        ] {
            trace.take(&message, &mut log);
        }
        trace.end(&mut log);
        let words: Vec<_> = told
            .lock()
            .unwrap()
            .iter()
            .map(|event| match event {
                ImageEvent::BuildStep { number, of, name, cached } => {
                    format!("{number}/{of} {name} {cached}")
                }
                ImageEvent::BuildLine { stream, line, .. } => format!("{stream:?} {line}"),
                other => format!("{other:?}"),
            })
            .collect();
        assert_eq!(
            words,
            [
                "1/2 FROM x false",
                "1/2 FROM x true",
                "2/2 RUN b false",
                "Stderr bad",
                "Stdout half line",
                "Stdout open"
            ]
        );
        assert_eq!(log.counts(), (2, 1));
    }
}
