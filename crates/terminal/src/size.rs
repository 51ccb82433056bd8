//! How much room a terminal has, and how text is cut and broken to fit.

use console::{measure_text_width, truncate_str};

/// What stands for the part of a line that was cut off.
const CUT: &str = "...";

/// Columns and rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminalSize {
    /// Characters in a line.
    pub columns: usize,
    /// Lines.
    pub rows: usize,
}

impl TerminalSize {
    /// The size that is taken for a terminal that does not tell its own.
    pub const USUAL: Self = Self { columns: 80, rows: 24 };
}

/// The size of the terminal on standard output; none where there is no terminal.
#[must_use]
pub fn stdout_size() -> Option<TerminalSize> {
    size_of(std::io::stdout())
}

/// The size of the terminal on standard input; none where there is no terminal.
#[must_use]
pub fn stdin_size() -> Option<TerminalSize> {
    size_of(std::io::stdin())
}

/// The size of the terminal on standard error; none where there is no terminal.
#[must_use]
pub fn stderr_size() -> Option<TerminalSize> {
    size_of(std::io::stderr())
}

fn size_of(stream: impl std::os::fd::AsFd) -> Option<TerminalSize> {
    let (width, height) = terminal_size::terminal_size_of(stream)?;
    let size = TerminalSize { columns: usize::from(width.0), rows: usize::from(height.0) };
    (size.columns > 0 && size.rows > 0).then_some(size)
}

/// `text` in at most `width` columns; `...` stands for what is cut off its end.
#[must_use]
pub fn cut(text: &str, width: usize) -> String {
    let text = text.trim_end();
    if measure_text_width(text) <= width {
        return text.to_owned();
    }
    match width.checked_sub(CUT.len()) {
        None | Some(0) => truncate_str(text, width, "").into_owned(),
        Some(kept) => format!("{}{CUT}", truncate_str(text, kept, "").trim_end()),
    }
}

/// `text` in lines of at most `width` columns, broken between words. A longer word stays whole: it
/// may be a path or a command to paste.
#[must_use]
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let options = textwrap::Options::new(width).break_words(false);
    let options = options.word_splitter(textwrap::WordSplitter::NoHyphenation);
    let lines = text.lines().flat_map(|line| textwrap::wrap(line, &options));
    lines.map(|line| line.into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_between_words() {
        assert_eq!(wrap("one two three\nfour", 8), ["one two", "three", "four"]);
        assert_eq!(wrap("see /a/very-long/path now", 8), ["see", "/a/very-long/path", "now"]);
        assert_eq!(wrap("a\n\nb", usize::MAX), ["a", "", "b"]);
    }

    #[test]
    fn a_cut_line_says_so_and_closes_its_colours() {
        assert_eq!(cut("its job was cleaned up", 14), "its job was...");
        assert_eq!(cut("short  ", 14), "short");
        assert_eq!(cut("abcdef", 2), "ab");
        assert_eq!(measure_text_width(&cut("漢字漢字漢字", 8)), 7);
        let painted = cut("\x1b[31mred and more\x1b[0m", 6);
        assert!(painted.starts_with("\x1b[31mred") && painted.contains("\x1b[0m"), "{painted:?}");
    }
}
