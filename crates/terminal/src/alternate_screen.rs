//! The alternate screen, for a view that is drawn again and again. What the terminal showed before comes back
//! however the view ends: this is done when the value is dropped, also while a panic unwinds.
//!
//! Each frame is one write of whole lines, none wider than the terminal, so nothing wraps and nothing flickers.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::frame_terminal::{BEGIN_FRAME, END_FRAME, HIDE_CURSOR, SHOW_CURSOR};
use crate::size::{TerminalSize, cut};

const ENTER: &str = "\x1b[?1049h";
const LEAVE: &str = "\x1b[?1049l";
const TOP: &str = "\x1b[H";
/// Before a line is written: behind one that fills the terminal, it would take the last character.
const CLEAR_LINE: &str = "\x1b[2K";
const CLEAR_REST: &str = "\x1b[J";

/// The screen. Dropping it gives the terminal back.
pub struct AlternateScreen {
    out: Box<dyn Write + Send>,
    /// It was left already. To leave it twice would move the cursor over what was written between.
    is_left: Arc<AtomicBool>,
}

impl fmt::Debug for AlternateScreen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AlternateScreen")
    }
}

impl AlternateScreen {
    /// Enters it on standard output. From now on a panic leaves it before it says anything.
    ///
    /// # Errors
    ///
    /// Those of the stream.
    pub fn on_stdout() -> io::Result<Self> {
        let screen = Self::enter(Box::new(io::stdout()))?;
        let (before, is_left) = (std::panic::take_hook(), Arc::clone(&screen.is_left));
        std::panic::set_hook(Box::new(move |panic| {
            leave(&mut io::stdout(), &is_left);
            before(panic);
        }));
        Ok(screen)
    }

    fn enter(mut out: Box<dyn Write + Send>) -> io::Result<Self> {
        out.write_all(format!("{ENTER}{HIDE_CURSOR}").as_bytes())?;
        out.flush()?;
        Ok(Self { out, is_left: Arc::default() })
    }

    /// Draws as many of these lines as the terminal has, each cut to its width.
    ///
    /// # Errors
    ///
    /// Those of the stream.
    pub fn draw(&mut self, lines: &[String], size: TerminalSize) -> io::Result<()> {
        let mut frame = format!("{BEGIN_FRAME}{TOP}");
        for (number, line) in lines.iter().take(size.rows).enumerate() {
            let next = if number == 0 { "" } else { "\r\n" };
            frame.extend([next, CLEAR_LINE, &cut(line, size.columns)]);
        }
        if lines.len() < size.rows {
            frame.extend(["\r\n", CLEAR_REST]);
        }
        frame.push_str(END_FRAME);
        self.out.write_all(frame.as_bytes())?;
        self.out.flush()
    }
}

impl Drop for AlternateScreen {
    fn drop(&mut self) {
        leave(&mut self.out, &self.is_left);
    }
}

fn leave(out: &mut dyn Write, is_left: &AtomicBool) {
    if !is_left.swap(true, Ordering::SeqCst) {
        let text = format!("{END_FRAME}{SHOW_CURSOR}{LEAVE}");
        // There is nowhere to report to when the terminal is gone.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::progress_region::tests::WrittenBytes;

    #[test]
    fn a_frame_is_one_write_and_shows_no_more_than_the_terminal_has() {
        let out = WrittenBytes::default();
        let mut screen = AlternateScreen::enter(Box::new(out.clone())).unwrap();
        let lines: Vec<String> = ["one", "a long line", "three"].map(str::to_owned).to_vec();
        screen.draw(&lines, TerminalSize { columns: 8, rows: 2 }).unwrap();
        screen.draw(&lines[..1], TerminalSize { columns: 8, rows: 2 }).unwrap();
        assert_eq!(out.0.lock().unwrap().1, 3);
        drop(screen);
        assert_eq!(
            out.text(),
            "\x1b[?1049h\x1b[?25l\
             \x1b[?2026h\x1b[H\x1b[2Kone\r\n\x1b[2Ka lon...\x1b[?2026l\
             \x1b[?2026h\x1b[H\x1b[2Kone\r\n\x1b[J\x1b[?2026l\
             \x1b[?2026l\x1b[?25h\x1b[?1049l"
        );
    }

    #[test]
    fn a_panic_gives_the_terminal_back() {
        let out = WrittenBytes::default();
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _screen = AlternateScreen::enter(Box::new(out.clone())).unwrap();
            panic!("a bug");
        }));
        assert!(panicked.is_err());
        assert!(out.text().ends_with("\x1b[?25h\x1b[?1049l"), "{:?}", out.text());
    }
}
