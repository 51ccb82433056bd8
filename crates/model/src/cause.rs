//! The catalogue of causes: why a job waits or failed, in the same words on every surface.
//!
//! Nothing else writes such text. A new cause is one new entry; slugs are never renamed.

mod catalogue;
mod render;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use catalogue::FailureCause;
pub use render::{ColourMode, RepeatedCause};

/// Who can mend it.
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
    /// A person who acted.
    Person,
    /// It is not known.
    Nobody,
}

/// What follows by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryDecision {
    /// It waits and tries again until its deadline.
    Wait,
    /// It tries again a few times.
    Retry,
    /// Final for this try. Where the set-up is to blame, the next try would fail the same way.
    Final,
}

/// One entry of the catalogue. `{x}` is filled from the facts. Of wordings with ` || ` between them the
/// first counts whose facts are all known, so the last one needs none.
#[derive(Clone, Copy, Debug)]
pub struct CatalogueEntry {
    /// The name in pages, logs, metrics and URLs.
    pub slug: &'static str,
    /// The label in metrics.
    pub class: &'static str,
    /// Who can mend it.
    pub who: ResponsibleParty,
    /// What follows by itself.
    pub next: RetryDecision,
    /// Lower case, no full stop; reads well after `error: `.
    pub headline: &'static str,
    /// One sentence in the imperative, without full stop.
    pub action: &'static str,
    /// Works as pasted once filled; empty where there is none.
    pub command: &'static str,
}

/// A sentence of evidence, and what AWS or the task said, word for word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CauseEvidence {
    /// Our words, with the numbers in them.
    pub text: String,
    /// Their words, shown in quotation marks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<String>,
}

impl std::fmt::Display for CauseEvidence {
    /// Our words, and theirs in quotation marks.
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
    /// Which entry.
    pub cause: FailureCause,
    /// What fills the entry's `{x}`.
    #[serde(default)]
    pub facts: BTreeMap<String, String>,
    /// What is known, in order.
    #[serde(default)]
    pub evidence: Vec<CauseEvidence>,
    /// What a container wrote last, made harmless; shown and never written down.
    #[serde(skip)]
    pub last_lines: Vec<String>,
}

impl CauseReport {
    /// This cause without any fact yet.
    #[must_use]
    pub fn new(cause: FailureCause) -> Self {
        Self { cause, facts: BTreeMap::new(), evidence: Vec::new(), last_lines: Vec::new() }
    }

    /// Adds a fact. Control characters in it are made harmless.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl AsRef<str>) -> Self {
        let value = crate::text::escape_within(value.as_ref(), 300);
        if !value.is_empty() {
            self.facts.insert(name.to_owned(), value);
        }
        self
    }

    /// Adds a sentence of our own.
    #[must_use]
    pub fn because(mut self, text: impl Into<String>) -> Self {
        self.evidence.push(CauseEvidence { text: text.into(), quote: None });
        self
    }

    /// Adds what `speaker` said, word for word but for control characters.
    #[must_use]
    pub fn quoting(mut self, speaker: &str, words: impl AsRef<str>) -> Self {
        let quote = crate::text::escape_within(words.as_ref().trim(), 1024);
        self.evidence.push(CauseEvidence { text: speaker.to_owned(), quote: Some(quote) });
        self
    }

    /// Adds what a container wrote last; control characters in it are made harmless.
    #[must_use]
    pub fn ending_with(mut self, lines: impl IntoIterator<Item = String>) -> Self {
        self.last_lines.extend(lines.into_iter().map(|line| crate::text::escape(&line)));
        self
    }

    /// The catalogue's entry.
    #[must_use]
    pub fn entry(&self) -> CatalogueEntry {
        self.cause.entry()
    }

    /// The headline with its facts.
    #[must_use]
    pub fn headline(&self) -> String {
        self.fill(self.entry().headline)
    }

    /// The action with its facts.
    #[must_use]
    pub fn action(&self) -> String {
        self.fill(self.entry().action)
    }

    /// The command with its facts, or `None` where there is none. Each word of a fact is one word for
    /// a shell; the name of a profile and a path are one, blanks and all.
    #[must_use]
    pub fn command(&self) -> Option<String> {
        let command = Some(self.entry().command).filter(|command| !command.is_empty())?;
        let words = |name: &str, text: &str| match name {
            "profile" | "path" => crate::text::shell_word(text),
            _ => text.split(' ').map(crate::text::shell_word).collect::<Vec<_>>().join(" "),
        };
        Some(wording(command, |name| self.facts.get(name).map(|fact| words(name, fact))))
    }

    /// `{x}` becomes the fact, in the first wording of which all facts are known.
    fn fill(&self, template: &str) -> String {
        wording(template, |name| self.facts.get(name).cloned())
    }
}

/// The first wording of a template whose facts are all known, with them in it.
fn wording(template: &str, fact: impl Fn(&str) -> Option<String>) -> String {
    let known = template.split(" || ").find_map(|wording| filled(wording, &fact));
    known.unwrap_or_else(|| template.rsplit(" || ").next().unwrap_or_default().to_owned())
}

/// `None` where a fact is missing. Braces around anything but a fact's name stay as they are.
fn filled(template: &str, fact: &impl Fn(&str) -> Option<String>) -> Option<String> {
    let is_name =
        |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
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
