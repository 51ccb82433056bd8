//! Why rules are refused: which line, what was given, what is allowed.

use std::fmt;

use fargate_model::text::{bytes, count, escape_within};

use super::rules::{MAX_BYTES, MAX_RULES};
use super::words::QuoteError;

/// Wrong lines that are told; the others are counted.
const TOLD: usize = 10;
/// Characters of a line, or of a word of it, that are repeated.
const REPEATED: usize = 60;

/// Why a text is not taken as rules.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultRulesError {
    /// Somebody gave something else than a file with rules.
    #[error("reading fault rules: they are longer than {}", bytes(as_u64(MAX_BYTES)))]
    TooLong,
    /// As above.
    #[error("reading fault rules: byte {at} is not UTF-8, and rules are lines of text")]
    NotText {
        /// Where, counted from 1.
        at: usize,
    },
    /// More than anybody can follow.
    #[error(
        "taking {} fault rules; at most {} are kept at a time", count(as_u64(*given)),
        count(as_u64(MAX_RULES))
    )]
    TooMany {
        /// How many there would be.
        given: usize,
    },
    /// Lines that make no sense.
    #[error("{}", told(.0))]
    Lines(Vec<InvalidRuleLine>),
}

/// A line that is no rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidRuleLine {
    /// Its number, counted from 1.
    pub number: usize,
    /// The line, made harmless and cut.
    pub text: String,
    /// What is wrong, what was given and what is allowed.
    pub reason: String,
}

impl InvalidRuleLine {
    pub(super) fn new(number: usize, text: &str, reason: &RuleLineError) -> Self {
        let text = escape_within(text, REPEATED);
        Self { number, text, reason: reason.to_string() }
    }
}

impl fmt::Display for InvalidRuleLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, `{}`: {}", self.number, self.text, self.reason)
    }
}

fn as_u64(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

fn told(lines: &[InvalidRuleLine]) -> String {
    let mut told: Vec<String> = lines.iter().take(TOLD).map(InvalidRuleLine::to_string).collect();
    if lines.len() > TOLD {
        told.push(format!("and {} more lines are wrong", lines.len() - TOLD));
    }
    told.join("\n")
}

/// Text that was given, made harmless and cut.
pub(super) fn shown(text: &str) -> String {
    match text {
        "" => "nothing".to_owned(),
        text => format!("`{}`", escape_within(text, REPEATED)),
    }
}

/// What is wrong with one line.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(super) enum RuleLineError {
    #[error(
        "a rule is WHO, WHEN, a colon, a blank and WHAT, as in `RunTask call 2: throttle`; no \
         colon with a blank after it was given"
    )]
    NoColon,
    #[error("{expected} is expected{}; given: {}", place(.after), shown(.given))]
    Expected { after: &'static str, expected: &'static str, given: String },
    #[error("{} is no operation of this cloud{}; allowed: any, {allowed}", shown(.given), meant(.like))]
    Operation { given: String, like: Option<&'static str>, allowed: String },
    #[error("{} says nothing about {about}; allowed: {allowed}", shown(.given))]
    Condition { given: String, about: &'static str, allowed: &'static str },
    #[error("{} is nothing that can happen to {about}; allowed: {allowed}", shown(.given))]
    Answer { given: String, about: &'static str, allowed: &'static str },
    #[error("{what} is given twice")]
    Twice { what: &'static str },
    #[error("`{what}` does not fit {operation}; it fits {fits}")]
    Unfit { what: &'static str, operation: String, fits: &'static str },
    #[error("a seed is of use only with a probability, as in `10% seed 7`")]
    SeedAlone,
    #[error(
        "the rule would end before it begins: `until {until}` is not later than `after {after}`"
    )]
    EmptyWindow { after: String, until: String },
    #[error("the range ends before it begins: {from}-{to}")]
    EmptyRange { from: u64, to: u64 },
    #[error("a rule for tasks says in which state, as in `task 3 at RUNNING + 2s: hold`")]
    NoPhase,
    #[error("a task is held from its state on, so `hold` takes no delay")]
    HeldLater,
    #[error("nothing is expected after {after}; given: {}", shown(.given))]
    Junk { after: &'static str, given: String },
    #[error(transparent)]
    Opened(#[from] QuoteError),
    #[error("after `=` a JSON value is expected: {why}; given: {}", shown(.given))]
    Json { given: String, why: String },
}

fn place(after: &str) -> String {
    if after.is_empty() { String::new() } else { format!(" after `{after}`") }
}

fn meant(like: &Option<&str>) -> String {
    like.map(|like| format!(" (did you mean {like}?)")).unwrap_or_default()
}
