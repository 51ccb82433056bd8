//! What a stream can show: movement of the cursor, colours, and characters outside ASCII.
//!
//! Only the eight basic colours are used, and removing them loses nothing.

use std::io::IsTerminal;

use anstyle::Style;

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

/// What may be written to a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminalCapabilities {
    /// The cursor may be moved.
    pub live: bool,
    /// Colours may be used.
    pub colour: bool,
    /// The locale shows characters outside ASCII.
    pub unicode: bool,
}

/// The styles of all commands.
pub mod style {
    use anstyle::{AnsiColor, Style};

    /// Something passed.
    pub const PASSED: Style = AnsiColor::Green.on_default();
    /// Something failed.
    pub const FAILED: Style = AnsiColor::Red.on_default();
    /// Something waits.
    pub const WAITING: Style = AnsiColor::Yellow.on_default();
    /// The word `error:`.
    pub const ERROR: Style = AnsiColor::Red.on_default().bold();
    /// A command to paste.
    pub const COMMAND: Style = AnsiColor::Cyan.on_default();
    /// Plain text.
    pub const NONE: Style = Style::new();
}

impl TerminalCapabilities {
    /// What standard output can show in this environment.
    #[must_use]
    pub fn of_stdout(colour: TerminalColourMode, progress: ProgressMode) -> Self {
        Self::decide(std::io::stdout().is_terminal(), colour, progress, variable)
    }

    /// What standard error can show in this environment.
    #[must_use]
    pub fn of_stderr(colour: TerminalColourMode, progress: ProgressMode) -> Self {
        Self::decide(std::io::stderr().is_terminal(), colour, progress, variable)
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
            // Source: no-color.org and bixense.com/clicolors.
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

    /// `text` in this style, where colours may be used.
    #[must_use]
    pub fn paint(self, style: Style, text: &str) -> String {
        match self.colour && !style.is_plain() {
            true => format!("{style}{text}{style:#}"),
            false => text.to_owned(),
        }
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
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
    fn a_style_is_closed_and_costs_nothing_where_colours_are_off() {
        let on = with(true, &[("TERM", "xterm")]);
        assert_eq!(on.paint(style::FAILED, "x"), "\x1b[31mx\x1b[0m");
        assert_eq!(on.paint(style::NONE, "x"), "x");
        assert_eq!(with(false, &[]).paint(style::FAILED, "x"), "x");
    }
}
