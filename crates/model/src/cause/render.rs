//! How a cause is written in a job's log or on a terminal.
//!
//! It chooses order, indentation and colour. The words stand in the catalogue.

use std::fmt;

use super::{CauseReport, ResponsibleParty};
use crate::text::{CleanLines, LinePart};

/// Whether colours are written (SGR codes).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColourMode {
    /// Write the 8 basic colours, and end each on its own line.
    On,
    /// Write no code at all.
    Off,
}

impl ColourMode {
    /// Puts `text` within this SGR code, if colours are on.
    pub(crate) fn paint(self, sgr: &str, text: &str) -> String {
        match self {
            Self::On => format!("\x1b[{sgr}m{text}\x1b[0m"),
            Self::Off => text.to_owned(),
        }
    }

    /// The word that opens an error block.
    #[must_use]
    pub fn error(self) -> LinePart<'static> {
        LinePart::Painted(self, "1;31", "error:")
    }

    /// A command to paste.
    #[must_use]
    pub fn command(self, text: &str) -> LinePart<'_> {
        LinePart::Painted(self, "36", text)
    }
}

/// The line of a try that starts no task, because the first try failed for a lasting reason.
#[derive(Debug)]
pub struct RepeatedCause<'a>(pub &'a CauseReport);

impl fmt::Display for RepeatedCause<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headline = self.0.headline();
        write!(f, "same cause as the first try, no task was started: {headline}")
    }
}

impl CauseReport {
    /// All lines: the error, then indented the evidence, the fix and the command.
    #[must_use]
    pub fn block(&self, colour: ColourMode) -> CleanLines {
        use LinePart::Plain;
        let mut out = CleanLines::default();
        out.push(&[colour.error(), Plain(" "), Plain(&self.headline())]);
        for evidence in &self.evidence {
            out.push(&[Plain("  "), Plain(&evidence.to_string())]);
        }
        if !self.last_lines.is_empty() {
            let log = self.facts.get("log").map(|log| format!(" ({log})")).unwrap_or_default();
            out.push(&[Plain("  Last lines of its log"), Plain(&log), Plain(":")]);
            for line in &self.last_lines {
                out.push(&[Plain("    "), Plain(line)]);
            }
        }
        let action = self.action();
        if !action.is_empty() {
            out.push(&[Plain("  Fix: "), Plain(&action)]);
        }
        if let Some(command) = self.command() {
            out.push(&[Plain("    "), colour.command(&command)]);
        }
        out
    }

    /// Who can correct it, for a log that the job's author reads. `None` if it is the author, or if
    /// nobody knows who is to blame.
    #[must_use]
    pub fn who_can_fix(&self) -> Option<&'static str> {
        match self.entry().who {
            ResponsibleParty::Job | ResponsibleParty::Nobody => None,
            ResponsibleParty::Setup => Some("whoever runs the CI platform"),
            ResponsibleParty::Aws => Some("AWS"),
            ResponsibleParty::Runner => {
                Some("whoever runs the CI platform, with Fargate Runner's developers")
            }
            ResponsibleParty::Person => Some("whoever did it"),
        }
    }

    /// The headline and the first quote, on one line.
    #[must_use]
    pub fn line(&self) -> String {
        let quoted = self.evidence.iter().find_map(|evidence| {
            evidence.quote.as_ref().map(|quote| format!(" ({}: \"{quote}\")", evidence.text))
        });
        format!("{}{}", self.headline(), quoted.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::super::FailureCause;
    use super::*;

    fn denied() -> CauseReport {
        CauseReport::new(FailureCause::ImageDenied)
            .with("image", "acme/ci@stable")
            .quoting("ECS", "pull access denied for acme/ci\nor may require 'docker login'")
            .because("Login used: secret registry-login.")
    }

    #[test]
    fn a_block_says_what_happened_what_is_known_and_what_to_do() {
        assert_eq!(
            denied().block(ColourMode::Off).to_string(),
            "error: the registry refused the image\n\
             \x20 ECS: \"pull access denied for acme/ci\\x0aor may require 'docker login'\"\n\
             \x20 Login used: secret registry-login.\n\
             \x20 Fix: check that the registry accepts the login of the task definition\n\
             \x20   fargate-runner config show\n"
        );
    }

    #[test]
    fn colour_is_closed_on_the_line_it_opens() {
        for line in denied().block(ColourMode::On).as_str().lines() {
            assert_eq!(
                line.matches("\x1b[0m").count(),
                line.matches("\x1b[").count() / 2,
                "{line}"
            );
        }
    }
}
