//! The lines of a build: masked, without escape sequences, told as events; the last ones are kept for the
//! error.

use std::collections::VecDeque;

use fargate_mask::SharedMasker;
use fargate_model::text::escape_within;

use super::line_redaction::LineRedaction;
use crate::event::{ImageEvent, ImageEvents, OutputStream};

/// How many lines an error shows.
const LAST_LINES: usize = 20;
/// Longest line, in characters.
const LONGEST: usize = 2000;

/// What a build has said so far.
pub(super) struct BuildLog {
    events: ImageEvents,
    masker: SharedMasker,
    redaction: LineRedaction,
    last: VecDeque<String>,
    /// The step that runs: its number, and its text.
    step: (u32, String),
    of: u32,
    cached: u32,
    /// The container that the first builder runs a step in.
    pub step_container: Option<String>,
}

impl BuildLog {
    pub fn new(events: ImageEvents, masker: SharedMasker, redaction: LineRedaction) -> Self {
        let (last, step) = (VecDeque::new(), (0, String::new()));
        Self { events, masker, redaction, last, step, of: 0, cached: 0, step_container: None }
    }

    /// A step begins. Lines of the former one no longer explain a failure.
    pub fn begin_step(&mut self, number: u32, of: u32, name: &str) {
        self.last.clear();
        self.step = (number, self.clean(name));
        self.of = of;
        self.tell_step(false);
    }

    /// The next lines are of this step again, which runs beside others.
    pub fn return_to_step(&mut self, number: u32, of: u32, name: &str) {
        self.step = (number, self.clean(name));
        self.of = of;
    }

    /// The step that began came from the cache.
    pub fn step_was_cached(&mut self) {
        self.cached += 1;
        self.tell_step(true);
    }

    /// One line that the build wrote.
    pub fn line(&mut self, stream: OutputStream, line: &str) {
        let line = self.clean(line.trim_end_matches(['\r', '\n']));
        if self.last.len() == LAST_LINES {
            self.last.pop_front();
        }
        self.last.push_back(line.clone());
        self.events.tell(ImageEvent::BuildLine { number: self.step.0, stream, line });
    }

    /// How many steps there are, and how many came from the cache.
    pub fn counts(&self) -> (u32, u32) {
        (self.of, self.cached)
    }

    /// What failed, in words: the step, what the engine said, the last lines.
    pub fn failed(&self, said: &str) -> String {
        let (number, name) = &self.step;
        let mut text = match number {
            0 => "building the image".to_owned(),
            number => format!("building the image: step {number} of {}: {name}", self.of),
        };
        text = format!("{text}\n  {}", self.clean(said));
        for line in &self.last {
            text = format!("{text}\n  | {line}");
        }
        text
    }

    /// Foreign text: without what is known to be secret or looks like a secret, before it is cut; and without
    /// escape sequences.
    pub fn clean(&self, text: &str) -> String {
        let plain = without_escapes(text);
        let masked = self.masker.text(&plain);
        escape_within(&without_escapes(&self.redaction.shown(&masked)), LONGEST)
    }

    fn tell_step(&self, cached: bool) {
        let (number, name) = self.step.clone();
        self.events.tell(ImageEvent::BuildStep { number, of: self.of, name, cached });
    }
}

/// The text without the sequences by which a terminal is steered.
///
/// Source: ECMA-48, 5.4: a control sequence ends with a byte from 0x40 to 0x7E.
pub(super) fn without_escapes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character != '\u{1b}' {
            out.push(character);
            continue;
        }
        match characters.next() {
            Some('[') => while characters.next().is_some_and(|c| !('@'..='~').contains(&c)) {},
            // A command to the terminal ends with BEL, or with ESC and a backslash.
            Some(']') => {
                while characters.next_if(|c| !matches!(c, '\u{7}' | '\u{1b}')).is_some() {}
                characters.next_if_eq(&'\u{7}');
            }
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_for_a_terminal_are_taken_out() {
        for (text, expected) in [
            ("\u{1b}[91mred\u{1b}[0m", "red"),
            ("a\u{1b}]0;title\u{7}b", "ab"),
            ("a\u{1b}]0;title\u{1b}\\b", "ab"),
            ("\u{1b}[2K\u{1b}[1;31mx", "x"),
            ("open \u{1b}[", "open "),
            ("plain ü", "plain ü"),
        ] {
            assert_eq!(without_escapes(text), expected);
        }
    }

    #[test]
    fn a_secret_that_escapes_cut_into_pieces_is_masked() {
        let masker = SharedMasker::default();
        masker.remember("canary-secret");
        let log = BuildLog::new(ImageEvents::nobody(), masker, LineRedaction::default());
        assert_eq!(log.clean("a canary-\u{1b}[0msecret b"), "a [MASKED] b");
    }

    #[test]
    fn an_error_shows_the_last_twenty_lines_of_its_step() {
        let mut log =
            BuildLog::new(ImageEvents::nobody(), SharedMasker::default(), LineRedaction::default());
        log.begin_step(1, 2, "FROM x");
        log.line(OutputStream::Stdout, "of another step");
        log.begin_step(2, 2, "RUN make");
        for n in 0..30 {
            log.line(OutputStream::Stdout, &format!("line {n}\r\n"));
        }
        let text = log.failed("exit code 7");
        assert!(text.starts_with("building the image: step 2 of 2: RUN make\n  exit code 7\n"));
        assert_eq!(text.lines().count(), 22);
        assert!(text.ends_with("  | line 29") && !text.contains("another step"), "{text}");
    }
}
