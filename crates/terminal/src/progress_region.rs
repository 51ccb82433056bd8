//! One region of several lines at the bottom of a terminal that is written again and again, with the
//! cursor hidden, and given back whatever happens. It is never higher than the terminal.

use std::io::{self, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle};

use crate::frame_terminal::{END_FRAME, FrameTerminal, SHOW_CURSOR};
use crate::size::{TerminalSize, cut};

/// The region. What was drawn last stays when this is dropped.
pub struct ProgressRegion {
    terminal: FrameTerminal,
    bar: ProgressBar,
    size: Option<TerminalSize>,
}

impl ProgressRegion {
    /// A region on standard output that begins where the cursor is.
    #[must_use]
    pub fn on_stdout() -> Self {
        Self::new(Box::new(io::stdout()))
    }

    /// A region on standard error that begins where the cursor is.
    #[must_use]
    pub fn on_stderr() -> Self {
        Self::new(Box::new(io::stderr()))
    }

    fn new(out: Box<dyn Write + Send>) -> Self {
        let terminal = FrameTerminal::new(out, TerminalSize::USUAL, true);
        let bar = bar(&terminal);
        Self { terminal, bar, size: None }
    }

    /// Writes `lines` over the last frame. After a change of size the screen is cleared and `head`,
    /// what stands above the region, is written again.
    ///
    /// # Errors
    ///
    /// If the frame could not be written.
    pub fn frame(
        &mut self,
        head: &[String],
        lines: &[String],
        size: TerminalSize,
    ) -> io::Result<()> {
        let before = self.size.replace(size);
        self.terminal.set_size(size);
        match before {
            None => self.terminal.lines_above(head),
            Some(before) if before != size => {
                // Where the old lines are now, nobody knows.
                self.bar.set_draw_target(ProgressDrawTarget::hidden());
                self.bar = bar(&self.terminal);
                self.terminal.clear_screen();
                let room = size.rows.saturating_sub(lines.len() + 1);
                self.terminal.lines_above(&head[..head.len().min(room)]);
            }
            Some(_) => {}
        }
        let lines: Vec<String> = lines.iter().map(|line| cut(line, size.columns)).collect();
        self.bar.set_message(lines.join("\n"));
        self.terminal.take_error().map_or(Ok(()), Err)
    }
}

impl Drop for ProgressRegion {
    fn drop(&mut self) {
        // It would draw once more, below what somebody may have written since.
        self.bar.set_draw_target(ProgressDrawTarget::hidden());
        self.terminal.leave();
    }
}

/// A bar that is nothing but its message, drawn each time that the message is set.
pub(crate) fn bar(terminal: &FrameTerminal) -> ProgressBar {
    let target = ProgressDrawTarget::term_like(Box::new(terminal.clone()));
    let style = ProgressStyle::with_template("{msg}").expect("the template is a constant");
    ProgressBar::with_draw_target(None, target)
        .with_style(style)
        .with_finish(ProgressFinish::Abandon)
}

/// From now on a panic gives the cursor back before it says anything.
pub fn restore_cursor_on_panic() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let _ = writeln!(io::stdout(), "{END_FRAME}{SHOW_CURSOR}");
        let _ = io::stdout().flush();
        before(panic);
    }));
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    const SIZE: TerminalSize = TerminalSize { columns: 80, rows: 24 };

    /// What was written, and how often.
    #[derive(Clone, Default)]
    pub(crate) struct WrittenBytes(pub Arc<Mutex<(Vec<u8>, usize)>>);

    impl WrittenBytes {
        pub fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().0.clone()).unwrap()
        }
    }

    impl Write for WrittenBytes {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut written = self.0.lock().unwrap();
            written.0.extend(bytes);
            written.1 += 1;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn lines(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|&line| line.to_owned()).collect()
    }

    #[test]
    fn a_frame_is_one_write_over_the_one_before_and_the_cursor_comes_back() {
        let out = WrittenBytes::default();
        let mut region = ProgressRegion::new(Box::new(out.clone()));
        region.frame(&lines(&["head"]), &lines(&["a", "", "b"]), SIZE).unwrap();
        region.frame(&lines(&["head"]), &lines(&["c"]), SIZE).unwrap();
        assert_eq!(out.0.lock().unwrap().1, 2);
        drop(region);
        let expected = "\x1b[?2026h\x1b[?25lhead\x1b[K\na\x1b[K\n\x1b[K\nb\x1b[K\x1b[?2026l\
                        \x1b[?2026h\x1b[2A\r\x1b[2K\x1b[1B\r\x1b[2K\x1b[1B\r\x1b[2K\x1b[2A\
                        c\x1b[K\x1b[?2026l\n\x1b[?2026l\x1b[?25h";
        assert_eq!(out.text(), expected);
    }

    #[test]
    fn after_a_change_of_size_everything_is_written_anew() {
        let out = WrittenBytes::default();
        let mut region = ProgressRegion::new(Box::new(out.clone()));
        region.frame(&lines(&["head"]), &lines(&["a"]), SIZE).unwrap();
        region.frame(&lines(&["head"]), &lines(&["b"]), TerminalSize { rows: 20, ..SIZE }).unwrap();
        drop(region);
        assert!(out.text().contains("\x1b[H\x1b[2Jhead\x1b[K\nb\x1b[K"), "{:?}", out.text());
    }

    #[test]
    fn no_frame_is_higher_than_the_terminal() {
        let out = WrittenBytes::default();
        let mut region = ProgressRegion::new(Box::new(out.clone()));
        let low = TerminalSize { rows: 3, ..SIZE };
        region.frame(&[], &vec!["line".to_owned(); 9], low).unwrap();
        assert_eq!(out.text().matches("line").count(), 3);
    }

    #[test]
    fn a_terminal_that_is_gone_is_told() {
        struct ClosedOutput;
        impl Write for ClosedOutput {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut region = ProgressRegion::new(Box::new(ClosedOutput));
        let error = region.frame(&[], &lines(&["a"]), SIZE).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn a_panic_gives_the_cursor_back() {
        let out = WrittenBytes::default();
        let of_region = out.clone();
        let drawn = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
            let mut region = ProgressRegion::new(Box::new(of_region));
            region.frame(&[], &lines(&["a"]), SIZE).unwrap();
            panic!("on purpose");
        }));
        assert!(drawn.is_err());
        assert!(out.text().ends_with("\x1b[?25h"));
    }
}
