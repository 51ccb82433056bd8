//! What standard output can show: movement of the cursor, colours, marks, and how wide it is.
//!
//! Only the eight basic colours are used, and removing them loses nothing.

use std::io::IsTerminal;

/// When to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum TerminalColourMode {
    /// Always.
    Always,
    /// Never.
    Never,
    /// As the environment and the terminal say.
    #[default]
    Auto,
}

/// How progress is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ProgressMode {
    /// In place on a terminal, as lines elsewhere.
    #[default]
    Auto,
    /// As lines.
    Plain,
}

/// What may be written to standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminalCapabilities {
    /// The cursor may be moved.
    pub live: bool,
    /// Colours may be used.
    pub colour: bool,
    /// The locale shows characters outside ASCII.
    pub unicode: bool,
}

/// Columns and rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminalSize {
    /// Characters in a line.
    pub columns: usize,
    /// Lines.
    pub rows: usize,
}

impl TerminalCapabilities {
    /// Those of standard output in this environment.
    #[must_use]
    pub fn of_stdout(colour: TerminalColourMode, progress: ProgressMode) -> Self {
        let variable = |name: &str| std::env::var(name).ok();
        Self::decide(std::io::stdout().is_terminal(), colour, progress, variable)
    }

    fn decide(
        terminal: bool,
        colour: TerminalColourMode,
        progress: ProgressMode,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Self {
        let set = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
        let capable = terminal && variable("TERM").is_none_or(|term| term != "dumb");
        let plain = progress == ProgressMode::Plain
            || variable("FARGATE_RUNNER_PROGRESS").is_some_and(|value| value == "plain");
        let forced =
            variable("CLICOLOR_FORCE").is_some_and(|value| !value.is_empty() && value != "0");
        let colour = match colour {
            TerminalColourMode::Always => true,
            TerminalColourMode::Never => false,
            TerminalColourMode::Auto if set("NO_COLOR") => false,
            TerminalColourMode::Auto => forced || capable,
        };
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find(|name| set(name));
        let unicode = locale.and_then(&variable).is_some_and(|value| {
            let value = value.to_ascii_lowercase();
            value.contains("utf-8") || value.contains("utf8")
        });
        Self { live: capable && !plain && !set("CI"), colour, unicode }
    }

    /// `text` in the colour `sgr`, where colours may be used.
    #[must_use]
    pub fn paint(self, sgr: &str, text: &str) -> String {
        match self.colour && !sgr.is_empty() {
            true => format!("\x1b[{sgr}m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }
}

/// The size of the terminal on standard output; none where there is no terminal.
#[must_use]
pub fn size() -> Option<TerminalSize> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    let size = TerminalSize { columns: usize::from(size.ws_col), rows: usize::from(size.ws_row) };
    (size.columns > 0 && size.rows > 0).then_some(size)
}

/// `text` in lines of at most `width` characters, broken between words.
#[must_use]
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split(' ') {
            let needed = line.chars().count() + 1 + word.chars().count();
            if !line.is_empty() && needed > width {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(terminal: bool, variables: &[(&str, &str)]) -> TerminalCapabilities {
        let find = |name: &str| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        };
        TerminalCapabilities::decide(terminal, TerminalColourMode::Auto, ProgressMode::Auto, find)
    }

    #[test]
    fn a_pipe_and_a_dumb_terminal_get_no_escape_at_all() {
        for abilities in [with(false, &[]), with(true, &[("TERM", "dumb")])] {
            assert!(!abilities.live && !abilities.colour);
        }
    }

    #[test]
    fn no_color_keeps_the_movement_and_ci_keeps_the_colours() {
        let quiet = with(true, &[("TERM", "xterm"), ("NO_COLOR", "1")]);
        assert!(quiet.live && !quiet.colour);
        let ci = with(true, &[("TERM", "xterm"), ("CI", "1")]);
        assert!(!ci.live && ci.colour);
        assert!(with(true, &[("CI", ""), ("NO_COLOR", "")]).live);
        assert!(with(false, &[("CLICOLOR_FORCE", "1")]).colour);
        assert!(!with(true, &[("FARGATE_RUNNER_PROGRESS", "plain")]).live);
    }

    #[test]
    fn the_first_locale_variable_that_is_set_decides_on_marks() {
        assert!(with(true, &[("LANG", "en_US.UTF-8")]).unicode);
        assert!(!with(true, &[("LC_ALL", "C"), ("LANG", "en_US.UTF-8")]).unicode);
        assert!(!with(true, &[]).unicode);
    }

    #[test]
    fn lines_are_broken_between_words() {
        assert_eq!(wrap("one two three\nfour", 8), ["one two", "three", "four"]);
    }
}
