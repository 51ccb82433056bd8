//! A stream as indicatif sees a terminal. Whatever it draws is kept until it flushes, and then written
//! at once: one write is one frame, within a synchronised update where the frame has several lines.
//!
//! Lines are ended by line ends. A terminal would also wrap a full line by itself, but one that was
//! made wider meanwhile would not.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use console::measure_text_width;
use indicatif::TermLike;

use crate::size::TerminalSize;

pub(crate) const HIDE_CURSOR: &str = "\x1b[?25l";
pub(crate) const SHOW_CURSOR: &str = "\x1b[?25h";
pub(crate) const BEGIN_FRAME: &str = "\x1b[?2026h";
pub(crate) const END_FRAME: &str = "\x1b[?2026l";
const CLEAR_LINE: &str = "\r\x1b[2K";
const CLEAR_LINE_END: &str = "\x1b[K";
const CLEAR_SCREEN: &str = "\x1b[H\x1b[2J";

/// A handle of one terminal; clones share it.
#[derive(Clone)]
pub(crate) struct FrameTerminal(Arc<Mutex<FrameState>>);

struct FrameState {
    out: Box<dyn Write + Send>,
    size: TerminalSize,
    /// What the next flush writes.
    frame: String,
    /// Where the cursor is in its line.
    column: usize,
    /// The cursor is hidden from the first frame on.
    hides_cursor: bool,
    is_hidden: bool,
    /// Why the last frame was not written.
    error: Option<io::Error>,
}

impl FrameTerminal {
    pub fn new(out: Box<dyn Write + Send>, size: TerminalSize, hides_cursor: bool) -> Self {
        Self(Arc::new(Mutex::new(FrameState {
            out,
            size,
            frame: String::new(),
            column: 0,
            hides_cursor,
            is_hidden: false,
            error: None,
        })))
    }

    fn state(&self) -> MutexGuard<'_, FrameState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn set_size(&self, size: TerminalSize) {
        self.state().size = size;
    }

    /// The next frame begins with an empty screen.
    pub fn clear_screen(&self) {
        let mut state = self.state();
        state.frame.push_str(CLEAR_SCREEN);
        state.column = 0;
    }

    /// Lines that stand above everything that is drawn after them.
    pub fn lines_above(&self, lines: &[String]) {
        let mut state = self.state();
        for line in lines {
            state.frame.extend([line, CLEAR_LINE_END, "\n"]);
        }
    }

    /// Why the last frame was not written, told once.
    pub fn take_error(&self) -> Option<io::Error> {
        self.state().error.take()
    }

    /// Leaves what was drawn where it is and gives the cursor back, on the line below.
    pub fn leave(&self) {
        let mut state = self.state();
        if state.is_hidden {
            state.is_hidden = false;
            // There is nowhere to report to when the terminal is gone.
            let _ = write!(state.out, "\n{END_FRAME}{SHOW_CURSOR}");
            let _ = state.out.flush();
        }
    }
}

impl FrameState {
    fn write_frame(&mut self) -> io::Result<()> {
        let frame = std::mem::take(&mut self.frame);
        if frame.is_empty() {
            return Ok(());
        }
        let frame = if self.hides_cursor {
            let hide = if self.is_hidden { "" } else { HIDE_CURSOR };
            self.is_hidden = true;
            format!("{BEGIN_FRAME}{hide}{frame}{END_FRAME}")
        } else {
            frame
        };
        self.out.write_all(frame.as_bytes())?;
        self.out.flush()
    }

    fn put(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        if self.column >= self.size.columns {
            self.frame.push('\n');
            self.column = 0;
        }
        let wide = measure_text_width(text);
        let fills_up = text.bytes().all(|byte| byte == b' ');
        if fills_up && self.column + wide >= self.size.columns {
            // A terminal that got narrower would wrap the blanks.
            self.frame.push_str(CLEAR_LINE_END);
        } else {
            self.frame.push_str(text);
        }
        self.column += wide;
    }

    fn escape(&mut self, n: usize, letter: char) {
        if n > 0 {
            self.frame.push_str(&format!("\x1b[{n}{letter}"));
        }
    }
}

impl fmt::Debug for FrameTerminal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameTerminal").finish_non_exhaustive()
    }
}

impl TermLike for FrameTerminal {
    fn width(&self) -> u16 {
        u16::try_from(self.state().size.columns).unwrap_or(u16::MAX)
    }

    fn height(&self) -> u16 {
        u16::try_from(self.state().size.rows).unwrap_or(u16::MAX)
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.state().escape(n, 'A');
        Ok(())
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.state().escape(n, 'B');
        Ok(())
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.state().escape(n, 'C');
        Ok(())
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.state().escape(n, 'D');
        Ok(())
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        let mut state = self.state();
        state.put(text);
        state.frame.push('\n');
        state.column = 0;
        Ok(())
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.state().put(text);
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        let mut state = self.state();
        state.frame.push_str(CLEAR_LINE);
        state.column = 0;
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        let mut state = self.state();
        let written = state.write_frame();
        state.error = written.err();
        Ok(())
    }
}
