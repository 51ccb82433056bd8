//! One region at the bottom of a terminal that is written again and again, never higher than the
//! terminal, with the cursor hidden and given back whatever happens.
//!
//! Each frame is one write inside a synchronised update. Lines are expected to fit the width.

use std::io::{self, Write};

use crate::terminal::TerminalSize;

const HIDE_CURSOR: &str = "\x1b[?25l";
const SHOW_CURSOR: &str = "\x1b[?25h";
const BEGIN_FRAME: &str = "\x1b[?2026h";
const END_FRAME: &str = "\x1b[?2026l";
const CLEAR_SCREEN: &str = "\x1b[H\x1b[2J";
const CLEAR_LINE_END: &str = "\x1b[K";
const CLEAR_BELOW: &str = "\x1b[J";

/// The region.
pub struct TerminalRegion<W: Write> {
    out: W,
    /// Lines of the last frame, the cursor being below them.
    drawn: usize,
    size: Option<TerminalSize>,
}

impl<W: Write> TerminalRegion<W> {
    /// A region that begins where the cursor is.
    pub fn new(out: W) -> Self {
        Self { out, drawn: 0, size: None }
    }

    /// Writes `lines` over the last frame. After a change of size the screen is cleared and
    /// `head`, what stands above the region, is written again.
    ///
    /// # Errors
    ///
    /// What kept the frame from being written.
    pub fn frame(
        &mut self,
        head: &[String],
        lines: &[String],
        size: TerminalSize,
    ) -> io::Result<()> {
        let mut frame = String::from(BEGIN_FRAME);
        let first = self.size.is_none();
        let resized = self.size.is_some_and(|before| before != size);
        if first {
            frame.push_str(HIDE_CURSOR);
        }
        if resized {
            frame.push_str(CLEAR_SCREEN);
        } else if self.drawn > 0 {
            frame.push_str(&format!("\x1b[{}F", self.drawn));
        }
        if first || resized {
            let room = size.rows.saturating_sub(lines.len() + 1);
            for line in head.iter().take(if resized { room } else { usize::MAX }) {
                frame.push_str(line);
                frame.push_str(CLEAR_LINE_END);
                frame.push('\n');
            }
        }
        for line in lines {
            frame.push_str(line);
            frame.push_str(CLEAR_LINE_END);
            frame.push('\n');
        }
        frame.push_str(CLEAR_BELOW);
        frame.push_str(END_FRAME);
        self.out.write_all(frame.as_bytes())?;
        self.drawn = lines.len();
        self.size = Some(size);
        self.out.flush()
    }
}

impl<W: Write> Drop for TerminalRegion<W> {
    fn drop(&mut self) {
        if self.size.is_some() {
            // There is nowhere to report to when the terminal is gone.
            let _ = write!(self.out, "{END_FRAME}{SHOW_CURSOR}");
            let _ = self.out.flush();
        }
    }
}

/// From now on a panic gives the cursor back before it says anything.
pub fn restore_on_panic() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let _ = writeln!(io::stdout(), "{END_FRAME}{SHOW_CURSOR}");
        let _ = io::stdout().flush();
        before(panic);
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: TerminalSize = TerminalSize { columns: 80, rows: 24 };

    fn lines(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|&line| line.to_owned()).collect()
    }

    #[test]
    fn a_frame_goes_over_the_one_before_and_the_cursor_comes_back() {
        let mut out = Vec::new();
        let mut screen = TerminalRegion::new(&mut out);
        screen.frame(&lines(&["head"]), &lines(&["a", "b"]), SIZE).unwrap();
        screen.frame(&lines(&["head"]), &lines(&["c"]), SIZE).unwrap();
        drop(screen);
        let expected = "\x1b[?2026h\x1b[?25lhead\x1b[K\na\x1b[K\nb\x1b[K\n\x1b[J\x1b[?2026l\
                        \x1b[?2026h\x1b[2Fc\x1b[K\n\x1b[J\x1b[?2026l\x1b[?2026l\x1b[?25h";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn after_a_change_of_size_everything_is_written_anew() {
        let mut out = Vec::new();
        let mut screen = TerminalRegion::new(&mut out);
        screen.frame(&lines(&["head"]), &lines(&["a"]), SIZE).unwrap();
        screen.frame(&lines(&["head"]), &lines(&["b"]), TerminalSize { rows: 20, ..SIZE }).unwrap();
        drop(screen);
        assert!(String::from_utf8(out).unwrap().contains("\x1b[H\x1b[2Jhead\x1b[K\nb\x1b[K\n"));
    }

    #[test]
    fn a_panic_gives_the_cursor_back() {
        let mut out = Vec::new();
        let drawn = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut screen = TerminalRegion::new(&mut out);
            screen.frame(&[], &lines(&["a"]), SIZE).unwrap();
            panic!("on purpose");
        }));
        assert!(drawn.is_err());
        assert!(out.ends_with(b"\x1b[?25h"));
    }
}
