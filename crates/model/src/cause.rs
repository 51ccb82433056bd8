//! The catalogue of causes: why a job waits or why it failed, in the same words wherever it is shown.
//!
//! No other code writes such text. A new cause is one new entry of the catalogue; a slug is never
//! renamed, because logs, files and metrics hold it. This module does not decide which cause a case
//! has: the driver does.

mod catalogue;
mod render;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use catalogue::FailureCause;
pub use render::{ColourMode, RepeatedCause};

/// Who can correct the cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponsibleParty {
    /// The job's author.
    Job,
    /// Whoever runs the CI platform.
    Setup,
    /// AWS.
    Aws,
    /// Fargate Runner itself.
    Runner,
    /// The person who did something, such as a stop.
    Person,
    /// Nobody knows who.
    Nobody,
}

impl ResponsibleParty {
    /// One word. Programs read it, so it is never renamed.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Job => "job",
            Self::Setup => "setup",
            Self::Aws => "AWS",
            Self::Runner => "runner",
            Self::Person => "person",
            Self::Nobody => "not known",
        }
    }
}

/// What Fargate Runner does next, without a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryDecision {
    /// Wait and try again, until the deadline.
    Wait,
    /// Try again a few times.
    Retry,
    /// End this try. If the set-up is to blame, the next try would fail in the same way.
    Final,
}

impl RetryDecision {
    /// One word. Programs read it, so it is never renamed.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Wait => "waits",
            Self::Retry => "retries",
            Self::Final => "final",
        }
    }
}

/// One entry of the catalogue.
///
/// Each text is a list of wordings in which a fact fills each `{x}`. The first wording whose facts are
/// all known is shown. The last one names no fact, so there is always one to show.
#[derive(Clone, Copy, Debug)]
pub struct CatalogueEntry {
    /// The short name in pages, logs, metrics and URLs.
    pub slug: &'static str,
    /// The label in metrics.
    pub class: &'static str,
    /// Who can correct it.
    pub who: ResponsibleParty,
    /// What Fargate Runner does next.
    pub next: RetryDecision,
    /// What happened: lower case, no full stop, to stand after `error: `.
    pub headline: &'static [&'static str],
    /// What to do: one sentence in the imperative, no full stop. Empty if there is nothing to do.
    pub action: &'static [&'static str],
    /// A command or a text to paste. Empty if there is none.
    pub command: &'static [&'static str],
}

/// A sentence of evidence, and the exact words of AWS or of the task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CauseEvidence {
    /// Our words, with the numbers in them.
    pub text: String,
    /// Their words, shown in quotation marks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<String>,
}

impl std::fmt::Display for CauseEvidence {
    /// Writes our words, then theirs in quotation marks.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.quote {
            Some(quote) => write!(f, "{}: \"{quote}\"", self.text),
            None => f.write_str(&self.text),
        }
    }
}

/// One cause with the facts of one case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CauseReport {
    /// The entry of the catalogue.
    pub cause: FailureCause,
    /// The facts by name; they fill the entry's `{x}`.
    #[serde(default)]
    pub facts: BTreeMap<String, String>,
    /// What is known about this case, in the order in which it is shown.
    #[serde(default)]
    pub evidence: Vec<CauseEvidence>,
    /// The last lines that a container wrote, escaped. They are shown, but never stored: a file of ours
    /// must not hold what a job wrote.
    #[serde(skip)]
    pub last_lines: Vec<String>,
}

impl CauseReport {
    /// Makes a report without facts.
    #[must_use]
    pub fn new(cause: FailureCause) -> Self {
        Self { cause, facts: BTreeMap::new(), evidence: Vec::new(), last_lines: Vec::new() }
    }

    /// Adds a fact, with its control characters escaped. An empty value counts as unknown.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl AsRef<str>) -> Self {
        let value = crate::text::escape_within(value.as_ref(), 300);
        if !value.is_empty() {
            self.facts.insert(name.to_owned(), value);
        }
        self
    }

    /// Adds a sentence of our own as evidence.
    #[must_use]
    pub fn because(mut self, text: impl Into<String>) -> Self {
        self.evidence.push(CauseEvidence { text: text.into(), quote: None });
        self
    }

    /// Adds the exact words of `speaker`, with their control characters escaped.
    #[must_use]
    pub fn quoting(mut self, speaker: &str, words: impl AsRef<str>) -> Self {
        let quote = crate::text::escape_within(words.as_ref().trim(), 1024);
        self.evidence.push(CauseEvidence { text: speaker.to_owned(), quote: Some(quote) });
        self
    }

    /// Adds the last lines of a container, with their control characters escaped.
    #[must_use]
    pub fn ending_with(mut self, lines: impl IntoIterator<Item = String>) -> Self {
        self.last_lines.extend(lines.into_iter().map(|line| crate::text::escape(&line)));
        self
    }

    /// The entry of the catalogue.
    #[must_use]
    pub fn entry(&self) -> CatalogueEntry {
        self.cause.entry()
    }

    /// What this case is about, to tell two cases of one cause apart: the zones, the secret, the image.
    #[must_use]
    pub fn object(&self) -> Option<&str> {
        // The most telling first.
        const OBJECTS: [&str; 9] = [
            "zones",
            "secret",
            "image",
            "task_definition",
            "role",
            "fs",
            "subnet",
            "subnets",
            "cluster",
        ];
        OBJECTS.iter().find_map(|name| self.facts.get(*name)).map(String::as_str)
    }

    /// The headline, filled with the facts.
    #[must_use]
    pub fn headline(&self) -> String {
        self.fill(self.entry().headline)
    }

    /// The action, filled with the facts.
    #[must_use]
    pub fn action(&self) -> String {
        self.fill(self.entry().action)
    }

    /// The command, filled with the facts, or `None` if the entry has none.
    ///
    /// Each word of a fact becomes one quoted word for a shell. A profile's name and a path may hold
    /// blanks, so each of them becomes one word as a whole.
    #[must_use]
    pub fn command(&self) -> Option<String> {
        let command = self.entry().command;
        let words = |name: &str, text: &str| match name {
            "profile" | "path" => crate::text::shell_word(text),
            _ => text.split(' ').map(crate::text::shell_word).collect::<Vec<_>>().join(" "),
        };
        first_known(command, |name| self.facts.get(name).map(|fact| words(name, fact)))
    }

    fn fill(&self, wordings: &[&str]) -> String {
        first_known(wordings, |name| self.facts.get(name).cloned()).unwrap_or_default()
    }
}

/// The first wording whose facts are all known, filled with them.
fn first_known(wordings: &[&str], fact: impl Fn(&str) -> Option<String>) -> Option<String> {
    wordings.iter().find_map(|wording| filled(wording, &fact))
}

/// Fills a wording, or returns `None` if a fact is missing. Braces around other text than the name of a
/// fact stay as they are, because a command may have braces of its own.
fn filled(wording: &str, fact: &impl Fn(&str) -> Option<String>) -> Option<String> {
    let is_name =
        |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    let mut out = String::with_capacity(wording.len());
    let mut rest = wording;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        match after.split_once('}').filter(|(name, _)| is_name(name)) {
            Some((name, after)) => {
                out.push_str(&fact(name)?);
                rest = after;
            }
            None => {
                out.push('{');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    Some(out)
}
