//! The words of the classic builder: pieces of text, in which steps, the cache and output are found.
//!
//! Source: seen at engine 20.10.24; moby, builder/dockerfile (`Step %d/%d : %s`, ` ---> Using cache`).

use super::build_log::BuildLog;
use crate::event::OutputStream;

/// By this an engine colours what a step wrote to standard error.
const STDERR_COLOUR: &str = "\u{1b}[91m";
/// Longest line that is put together, in bytes. A longer one is told in pieces.
const LONGEST_LINE: usize = 64 * 1024;

/// Puts lines together.
#[derive(Default)]
pub(super) struct BuildOutput {
    open_line: String,
}

impl BuildOutput {
    /// Takes in one piece.
    pub fn take(&mut self, piece: &str, log: &mut BuildLog) {
        for part in piece.split_inclusive('\n') {
            self.open_line.push_str(part);
            if part.ends_with('\n') || self.open_line.len() > LONGEST_LINE {
                self.end_line(log);
            }
        }
    }

    /// The stream ended; what is left is a line.
    pub fn end(&mut self, log: &mut BuildLog) {
        self.end_line(log);
    }

    fn end_line(&mut self, log: &mut BuildLog) {
        let line = std::mem::take(&mut self.open_line);
        let line = line.trim_end_matches('\n');
        if let Some((number, of, name)) = step(line) {
            log.begin_step(number, of, name);
        } else if line.trim() == "---> Using cache" {
            log.step_was_cached();
        } else if let Some(id) = line.trim().strip_prefix("---> Running in ") {
            log.step_container = Some(id.trim().to_owned());
        } else if !is_bookkeeping(line) {
            let is_stderr = line.starts_with(STDERR_COLOUR);
            let stream = if is_stderr { OutputStream::Stderr } else { OutputStream::Stdout };
            log.line(stream, line);
        }
    }
}

/// `Step 2/4 : RUN make`.
fn step(line: &str) -> Option<(u32, u32, &str)> {
    let (numbers, name) = line.strip_prefix("Step ")?.split_once(" : ")?;
    let (number, of) = numbers.split_once('/')?;
    Some((number.parse().ok()?, of.parse().ok()?, name))
}

/// Ids of containers and images between the steps, which help nobody.
fn is_bookkeeping(line: &str) -> bool {
    let is_id = |text: &str| text.len() >= 12 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let line = super::build_log::without_escapes(line);
    let words: Vec<_> = line.split_whitespace().collect();
    match words.as_slice() {
        [] | ["--->"] => true,
        ["--->", id] | ["Removing", "intermediate", "container", id] => is_id(id),
        ["Successfully", "built", id] => is_id(id),
        ["Successfully", "tagged", _] => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use fargate_mask::SharedMasker;

    use super::*;
    use crate::event::{ImageEvent, ImageEvents};

    #[test]
    fn steps_output_and_the_cache_are_told_apart_whatever_the_pieces_are() {
        let text = "Step 1/2 : FROM a\n ---> 0123456789ab\nStep 2/2 : RUN b\n ---> Using cache\n ---> \
                    Running in 0123456789ab\n\u{1b}[91mbad\n\u{1b}[0mgood\nSuccessfully built 0123456789ab\n";
        for size in [1, 7, text.len()] {
            let told = Arc::new(Mutex::new(Vec::new()));
            let listener = Arc::clone(&told);
            let events = ImageEvents::to(move |event| listener.lock().unwrap().push(event));
            let mut log = BuildLog::new(events, SharedMasker::default(), Default::default());
            let mut output = BuildOutput::default();
            for piece in text.as_bytes().chunks(size) {
                output.take(std::str::from_utf8(piece).unwrap(), &mut log);
            }
            output.end(&mut log);
            let told = told.lock().unwrap();
            let words: Vec<_> = told
                .iter()
                .map(|event| match event {
                    ImageEvent::BuildStep { number, cached, name, .. } => {
                        format!("{number} {name} {cached}")
                    }
                    ImageEvent::BuildLine { number, stream, line } => {
                        format!("{number} {stream:?} {line}")
                    }
                    other => format!("{other:?}"),
                })
                .collect();
            assert_eq!(
                words,
                [
                    "1 FROM a false",
                    "2 RUN b false",
                    "2 RUN b true",
                    "2 Stderr bad",
                    "2 Stdout good"
                ]
            );
            assert_eq!(log.counts(), (2, 1));
            assert_eq!(log.step_container.as_deref(), Some("0123456789ab"));
        }
    }
}
