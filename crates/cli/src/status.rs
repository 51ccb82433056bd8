//! One line of progress on stderr: in place on a terminal, a seldom line elsewhere.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use fargate_mask as mask;
use fargate_model::text::escape_within;

/// At most ten frames a second on a terminal.
const FRAME: Duration = Duration::from_millis(100);
/// How often a wait is told where no terminal is.
const SELDOM: Duration = Duration::from_secs(15);

/// Longest line, in characters.
const LONGEST: usize = 400;

/// See the module. Whatever stands on the terminal is taken away when this is dropped.
pub struct StatusLine {
    quiet: bool,
    in_place: bool,
    shown: String,
    at: Option<Instant>,
}

impl StatusLine {
    /// `quiet` shows nothing.
    pub fn new(quiet: bool) -> Self {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var("TERM").is_ok_and(|term| term == "dumb");
        let in_place = std::io::stderr().is_terminal() && !dumb && !set("CI");
        Self { quiet, in_place, shown: String::new(), at: None }
    }

    /// Shows `line`; `what` is its part that does not tick.
    pub fn show(&mut self, what: &str, line: &str) {
        let every = if self.in_place { FRAME } else { SELDOM };
        let changed = self.shown != what;
        let due = self.at.is_none_or(|at| at.elapsed() >= every);
        if self.quiet || !(due || changed && !self.in_place) {
            return;
        }
        what.clone_into(&mut self.shown);
        self.at = Some(Instant::now());
        let line = escape_within(&mask::text(line), LONGEST);
        let text = if self.in_place { format!("\r\x1b[2K{line}") } else { format!("{line}\n") };
        let _ = std::io::stderr().write_all(text.as_bytes());
    }

    /// Takes the line away.
    pub fn clear(&mut self) {
        if self.in_place && self.at.take().is_some() {
            let _ = std::io::stderr().write_all(b"\r\x1b[2K");
        }
    }
}

impl Drop for StatusLine {
    fn drop(&mut self) {
        self.clear();
    }
}
