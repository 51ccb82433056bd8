//! Lines for a log that people read. Text is escaped and cut when it is added.
//!
//! The functions that write a log take these lines and no plain text, so no caller can forget to
//! escape. This module masks no secrets: the driver does that.

use std::fmt;

use super::escape_within;
use crate::cause::ColourMode;

/// Longest part of a line, in characters. A longer part is cut in the middle.
const LONGEST_PART: usize = 4000;
/// Most lines that are taken of one text. The rest is left out.
const MOST_LINES: usize = 200;

/// One part of a line.
#[derive(Clone, Copy, Debug)]
pub enum LinePart<'a> {
    /// Text without colour.
    Plain(&'a str),
    /// Text in the colour that this SGR code chooses, such as `1;31`.
    Painted(ColourMode, &'static str, &'a str),
}

/// Escaped lines, each with its line end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CleanLines(String);

impl CleanLines {
    /// Makes one line. A line end within the text is shown as an escape.
    #[must_use]
    pub fn line(text: &str) -> Self {
        Self::default().with(&[LinePart::Plain(text)])
    }

    /// Makes lines of our own text, which may hold line ends.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let mut lines = text.split('\n');
        let mut clean = Self::default();
        for line in lines.by_ref().take(MOST_LINES) {
            clean.push(&[LinePart::Plain(line)]);
        }
        let left = lines.count();
        if left > 0 {
            clean.push(&[LinePart::Plain(&format!("... {left} more lines"))]);
        }
        clean
    }

    /// Adds one line.
    pub fn push(&mut self, parts: &[LinePart<'_>]) {
        for part in parts {
            match *part {
                LinePart::Plain(text) => self.0.push_str(&escape_within(text, LONGEST_PART)),
                LinePart::Painted(colour, sgr, text) => {
                    self.0.push_str(&colour.paint(sgr, &escape_within(text, LONGEST_PART)));
                }
            }
        }
        self.0.push('\n');
    }

    /// Returns these lines with one more.
    #[must_use]
    pub fn with(mut self, parts: &[LinePart<'_>]) -> Self {
        self.push(parts);
        self
    }

    /// Adds all lines of `other`.
    pub fn append(&mut self, other: &Self) {
        self.0.push_str(&other.0);
    }

    /// Puts these lines into a section of GitLab's log that is closed at first. `title` is what
    /// people see of it.
    ///
    /// Characters that the name of a section may not hold are replaced. `now_s` is in seconds since
    /// 1970.
    ///
    /// Source: GitLab documentation, "Expand and collapse job log sections".
    #[must_use]
    pub fn folded(&self, name: &str, title: &str, now_s: u64) -> Self {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
        let name: String = name.chars().map(plain).take(48).collect();
        let title = escape_within(title, LONGEST_PART);
        let lines = &self.0;
        Self(format!(
            "\x1b[0Ksection_start:{now_s}:{name}[collapsed=true]\r\x1b[0K{title}\n{lines}\
             \x1b[0Ksection_end:{now_s}:{name}\r\x1b[0K\n"
        ))
    }

    /// The lines as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CleanLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str =
        "\u{1b}[2J\r\n\u{1b}[0Ksection_start:1:x\r\u{9b}\u{202e}\u{2028}\u{e0041}";

    #[test]
    fn nothing_but_our_own_marks_moves_a_cursor_or_ends_a_line() {
        let mut lines = CleanLines::line(HOSTILE);
        lines.push(&[
            LinePart::Painted(ColourMode::On, "36", HOSTILE),
            LinePart::Painted(ColourMode::Off, "36", HOSTILE),
        ]);
        let folded = lines.folded(HOSTILE, HOSTILE, 7).to_string();
        assert_eq!(folded.lines().count(), 4, "{folded:?}");
        assert_eq!((folded.matches('\r').count(), folded.matches('\u{1b}').count()), (2, 6));
        assert_eq!(folded.matches("\u{1b}[0Ksection_").count(), 2);
        assert!(folded.is_ascii(), "{folded:?}");
    }

    #[test]
    fn a_text_without_end_is_cut() {
        let long = CleanLines::line(&"x".repeat(10_000_000)).to_string();
        assert_eq!(long.len(), LONGEST_PART + 1);
        let many = CleanLines::of(&"x\n".repeat(1000)).to_string();
        assert_eq!(many.lines().count(), MOST_LINES + 1);
        assert!(many.ends_with("... 801 more lines\n"), "{many}");
        assert_eq!(CleanLines::of("\none\ntwo").to_string(), "\none\ntwo\n");
    }
}
