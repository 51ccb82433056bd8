//! One line of progress on standard error: in place on a terminal, a line now and then elsewhere.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget};

use crate::capabilities::TerminalCapabilities;
use crate::frame_terminal::FrameTerminal;
use crate::progress_region::bar;
use crate::size::{TerminalSize, cut, stderr_size};

/// At most ten frames a second on a terminal.
const FRAME: Duration = Duration::from_millis(100);
/// How often a wait is told where no terminal is.
const SELDOM: Duration = Duration::from_secs(15);

/// The line. Whatever stands on the terminal is taken away when this is dropped.
pub struct ProgressLine {
    place: LinePlace,
    shown: String,
    at: Option<Instant>,
}

enum LinePlace {
    Nowhere,
    InPlace { terminal: FrameTerminal, bar: ProgressBar },
    Lines(Box<dyn Write + Send>),
}

impl ProgressLine {
    /// The line as standard error can show it.
    #[must_use]
    pub fn on_stderr(abilities: TerminalCapabilities) -> Self {
        Self::new(abilities.live, Box::new(io::stderr()))
    }

    /// A line that nobody sees.
    #[must_use]
    pub fn quiet() -> Self {
        Self { place: LinePlace::Nowhere, shown: String::new(), at: None }
    }

    fn new(live: bool, out: Box<dyn Write + Send>) -> Self {
        let place = if live {
            // The cursor stays visible: a signal may end the process, and would leave it hidden.
            let terminal = FrameTerminal::new(out, TerminalSize::USUAL, false);
            LinePlace::InPlace { bar: bar(&terminal), terminal }
        } else {
            LinePlace::Lines(out)
        };
        Self { place, shown: String::new(), at: None }
    }

    /// Shows `line`; `what` is its part that does not tick.
    pub fn show(&mut self, what: &str, line: &str) {
        let due = |every| self.at.is_none_or(|at| at.elapsed() >= every);
        match &mut self.place {
            LinePlace::InPlace { terminal, bar } if due(FRAME) => {
                let size = stderr_size().unwrap_or(TerminalSize::USUAL);
                terminal.set_size(size);
                // In a full line the cursor would be at the beginning of the next one.
                bar.set_message(cut(line, size.columns.saturating_sub(1)));
            }
            LinePlace::Lines(out) if due(SELDOM) || self.shown != what => {
                // Who cannot read how far it is may still read what comes of it.
                let _ = out.write_all(format!("{line}\n").as_bytes());
            }
            LinePlace::Nowhere | LinePlace::InPlace { .. } | LinePlace::Lines(_) => return,
        }
        what.clone_into(&mut self.shown);
        self.at = Some(Instant::now());
    }

    /// Takes the line away.
    pub fn clear(&mut self) {
        if let LinePlace::InPlace { bar, .. } = &self.place
            && self.at.take().is_some()
        {
            bar.set_message("");
        }
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        self.clear();
        if let LinePlace::InPlace { bar, .. } = &self.place {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress_region::tests::WrittenBytes;

    #[test]
    fn on_a_terminal_the_line_is_drawn_in_place_and_taken_away() {
        let out = WrittenBytes::default();
        let mut line = ProgressLine::new(true, Box::new(out.clone()));
        line.show("pull", "pull 1 s");
        line.show("pull", "pull 2 s");
        line.clear();
        line.show("start", "start 1 s");
        drop(line);
        assert_eq!(out.text(), "pull 1 s\x1b[K\r\x1b[2Kstart 1 s\x1b[K\r\x1b[2K");
    }

    #[test]
    fn elsewhere_each_change_is_a_line_and_nothing_is_taken_away() {
        let out = WrittenBytes::default();
        let mut line = ProgressLine::new(false, Box::new(out.clone()));
        line.show("pull", "pull 1 s");
        line.show("pull", "pull 2 s");
        line.show("start", "start 1 s");
        drop(line);
        assert_eq!(out.text(), "pull 1 s\nstart 1 s\n");
        ProgressLine::quiet().show("a", "a");
    }
}
