//! One line of progress on stderr, clean and without any secret. How it is drawn is the terminal
//! crate's business.

use fargate_model::text::escape_within;
use fargate_terminal::{ProgressLine, ProgressMode, TerminalCapabilities, TerminalColourMode};

use crate::streams::masker;

/// Longest line, in characters.
const LONGEST: usize = 400;

/// The line. What stands on the terminal is taken away when this is dropped.
pub struct StatusLine(ProgressLine);

impl StatusLine {
    /// `quiet` shows nothing.
    pub fn new(quiet: bool) -> Self {
        Self(if quiet { ProgressLine::quiet() } else { ProgressLine::on_stderr(capabilities()) })
    }

    /// Shows `line`; `what` is its part that does not tick.
    pub fn show(&mut self, what: &str, line: &str) {
        self.0.show(what, &escape_within(&masker().text(line), LONGEST));
    }

    /// Takes the line away.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

/// What stderr can show.
pub fn capabilities() -> TerminalCapabilities {
    TerminalCapabilities::of_stderr(TerminalColourMode::default(), ProgressMode::default())
}
